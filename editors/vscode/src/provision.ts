/** From the settings to a server: chosen, already installed, or installed now with the user's consent. */

import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { Failure } from './failure.js';
import { chosenServer, requirement, type Server } from './server/find.js';
import { forgetServer, installServer, installedServer, type Installation } from './server/install.js';
import { serverSetting } from './settings.js';
import { windowEnvironment } from './window.js';

export class Provision implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #output: vscode.LogOutputChannel;
  readonly #abort = new AbortController();

  constructor(context: vscode.ExtensionContext, output: vscode.LogOutputChannel) {
    this.#context = context;
    this.#output = output;
  }

  /** The server to use, undefined when it must be installed first. Throws a Failure when a setting is wrong. */
  async locate(): Promise<Server | undefined> {
    const chosen = await chosenServer(serverSetting('path'), serverSetting('address'));
    if (chosen !== undefined) {
      return chosen;
    }
    if (process.platform === 'win32') {
      throw new Failure(
        'The fimble server does not run on Windows itself.',
        'Open the folder in WSL, or give the address of a server elsewhere in fimble.server.address.',
      );
    }
    const file = await installedServer(await this.#installation());
    return file === undefined ? undefined : { kind: 'program', path: file };
  }

  /** Says what would be installed, and asks. Throws a Failure when the settings name a server already. */
  async offer(): Promise<'install' | 'settings' | undefined> {
    if (serverSetting('path') !== '' || serverSetting('address') !== '') {
      throw new Failure(
        'The settings name a server of your own (fimble.server.path or fimble.server.address).',
        'Clear them to let fimble install one.',
      );
    }
    const { requirement: what } = await this.#installation();
    const name = path.isAbsolute(what) ? path.basename(what).split('-py3')[0] : what;
    const choice = await vscode.window.showInformationMessage(
      `fimble needs its language server on ${vscode.env.remoteName === undefined ? 'this machine' : 'the remote machine'}. ` +
        `pip will install ${name} and what it depends on (about 230 MB) from your package index into a folder of the ` +
        'extension, apart from every project.',
      'Install',
      'Use My Own…',
      'Not Now',
    );
    return choice === 'Install' ? 'install' : choice === 'Use My Own…' ? 'settings' : undefined;
  }

  /** Makes fimble's own environment anew, showing progress. Throws a Failure. */
  async install(onStep: (step: string) => void): Promise<void> {
    const installation = await this.#installation();
    await forgetServer(installation.storage);
    const where = { location: vscode.ProgressLocation.Notification, title: 'Installing fimble', cancellable: true };
    await vscode.window.withProgress(where, async (progress, token) => {
      const cancelled = new AbortController();
      token.onCancellationRequested(() => {
        cancelled.abort();
      });
      await installServer(installation, {
        signal: AbortSignal.any([cancelled.signal, this.#abort.signal]),
        onStep: (step) => {
          progress.report({ message: step });
          onStep(step);
        },
        onLine: (line) => {
          this.#output.info(line);
        },
      });
    });
  }

  /** The window closes: an installation does not outlive it. */
  dispose(): void {
    this.#abort.abort();
  }

  async #installation(): Promise<Installation> {
    const { extension, globalStorageUri } = this.#context;
    const manifest = extension.packageJSON as { version: string };
    const bundled = path.join(extension.extensionPath, 'bundled');
    const wheels = (await readdir(bundled).catch(() => []))
      .filter((name) => name.endsWith('.whl'))
      .map((name) => path.join(bundled, name));
    return {
      storage: globalStorageUri.fsPath,
      requirement: requirement(serverSetting('package'), wheels, manifest.version),
      python: serverSetting('python'),
      env: windowEnvironment(),
    };
  }
}
