/** As much of the `vscode` module as unit tests need: settings and commands in memory. The rest is tested in VS Code. */

interface Values {
  default?: unknown;
  globalValue?: unknown;
  workspaceValue?: unknown;
}

/** Settings by full name; tests fill it. */
export const settings = new Map<string, Values>();

export enum ConfigurationTarget {
  Global = 1,
  Workspace = 2,
}

function effective(name: string): unknown {
  const values = settings.get(name);
  return values?.workspaceValue ?? values?.globalValue ?? values?.default;
}

/** Commands by name, as registered. */
export const registered = new Map<string, () => Promise<void>>();
/** Commands of VS Code's own that were run. */
export const executed: string[] = [];
/** Error messages shown. */
export const errors: string[] = [];

export const commands = {
  registerCommand(name: string, work: () => Promise<void>) {
    registered.set(name, work);
    return { dispose: () => registered.delete(name) };
  },
  executeCommand(name: string) {
    executed.push(name);
    return Promise.resolve();
  },
};

interface Uri {
  toString(): string;
}
interface TextDocument {
  uri: Uri;
}

export const workspace = {
  /** Tests fill it. */
  notebookDocuments: [] as { uri: Uri; getCells: () => { document: TextDocument }[] }[],
  getConfiguration(section?: string) {
    const full = (key: string): string => (section === undefined ? key : `${section}.${key}`);
    return {
      get(key: string, otherwise?: unknown): unknown {
        const value = effective(full(key));
        if (value !== undefined) {
          return value;
        }
        const tree = nested(`${full(key)}.`);
        return Object.keys(tree).length > 0 ? tree : otherwise;
      },
      inspect: (key: string) => settings.get(full(key)),
      update(key: string, value: unknown, target: ConfigurationTarget) {
        const which = target === ConfigurationTarget.Global ? 'globalValue' : 'workspaceValue';
        settings.set(full(key), { ...settings.get(full(key)), [which]: value });
        return Promise.resolve();
      },
    };
  },
};

type Tree = Record<string, unknown>;

function nested(prefix: string): Tree {
  const root: Tree = {};
  for (const name of settings.keys()) {
    if (name.startsWith(prefix)) {
      const path = name.slice(prefix.length).split('.');
      const last = path.pop() ?? '';
      let node = root;
      for (const part of path) {
        const child: Tree = (node[part] as Tree | undefined) ?? {};
        node[part] = child;
        node = child;
      }
      node[last] = effective(name);
    }
  }
  return root;
}

export const window = {
  activeTextEditor: undefined as { document: TextDocument } | undefined,
  showErrorMessage(text: string) {
    errors.push(text);
    return Promise.resolve(undefined);
  },
};
