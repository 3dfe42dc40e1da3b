/**
 * A small observable store with middleware, written as a sample for the syntax tests.
 * It's full of "quotes", `backticks`, and {braces} in its comments; don't mind them.
 */
import { EventEmitter } from "node:events";
import type { Reader, Writer as Sink } from "./streams";
import * as path from "path";
import defaults, { limits } from "../config";

export { clamp as bounded } from "./numbers";
export * from "./shapes";

declare global {
  interface Window {
    __store?: Store<unknown>;
  }
}

export type Listener<S> = (state: Readonly<S>, previous?: S) => void;
export type Unsubscribe = () => void;
type Primitive = string | number | boolean | bigint | symbol | null | undefined;
type DeepReadonly<T> = T extends Primitive
  ? T
  : T extends Array<infer U>
    ? ReadonlyArray<DeepReadonly<U>>
    : { readonly [K in keyof T]: DeepReadonly<T[K]> };
type Getters<T> = { [K in keyof T as `get${Capitalize<string & K>}`]: () => T[K] };
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Action<P = unknown> {
  readonly type: string;
  payload?: P;
  meta?: { at: number; tags?: readonly string[] };
}

interface Reducer<S, A extends Action = Action> {
  (state: S | undefined, action: A): S;
  displayName?: string;
}

export enum Level {
  Debug = 1 << 0,
  Info = 1 << 1,
  Warn = Debug | Info,
  Error = "error".length,
}

const enum Direction {
  Up,
  Down,
}

abstract class Base<S extends object> {
  protected static instances = 0;
  #secret: number = 0xff_ff;
  private readonly listeners = new Set<Listener<S>>();

  constructor(
    protected state: S,
    public readonly name: string = "store",
    private level?: Level,
  ) {
    Base.instances += 1;
  }

  abstract reduce(action: Action): S;

  get current(): DeepReadonly<S> {
    return this.state as DeepReadonly<S>;
  }

  set verbosity(level: Level) {
    this.level = level ?? Level.Info;
  }

  subscribe(listener: Listener<S>): Unsubscribe {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  protected notify(previous: S): void {
    for (const listener of this.listeners) {
      try {
        listener(this.state, previous);
      } catch (error: unknown) {
        if (error instanceof TypeError && error.message.includes("undefined")) continue;
        console.error(`listener of ${this.name} failed: ${(error as Error).message ?? "?"}`);
        throw error;
      } finally {
        this.#secret ^= 1;
      }
    }
  }
}

export class Store<S extends object> extends Base<S> implements Iterable<[keyof S, S[keyof S]]> {
  constructor(initial: S, private readonly reducer: Reducer<S>, ...names: string[]) {
    super(initial, names.join("-") || undefined);
  }

  override reduce(action: Action): S {
    return this.reducer(this.state, action);
  }

  dispatch<P>(action: Action<P> | ((dispatch: Store<S>["dispatch"]) => Action<P>)): Action<P> {
    const resolved = typeof action === "function" ? action(this.dispatch.bind(this)) : action;
    const previous = { ...this.state };
    this.state = this.reduce(resolved);
    if (previous !== this.state) this.notify(previous);
    return resolved;
  }

  *[Symbol.iterator](): Iterator<[keyof S, S[keyof S]]> {
    for (const key in this.state) {
      if (Object.prototype.hasOwnProperty.call(this.state, key)) {
        yield [key, this.state[key]];
      }
    }
  }

  async persist(sink: Sink<string>, signal?: AbortSignal): Promise<number> {
    let written = 0;
    outer: for await (const chunk of this.chunks(64)) {
      if (signal?.aborted) break outer;
      written += await sink.write(chunk);
    }
    return written;
  }

  private async *chunks(size: number): AsyncGenerator<string, void, undefined> {
    const text = JSON.stringify(this.state, (key, value: Json) => (key.startsWith("_") ? undefined : value), 2);
    for (let i = 0; i < text.length; i += size) {
      yield text.slice(i, Math.min(i + size, text.length));
    }
  }
}

function isAction(value: unknown): value is Action {
  return typeof value === "object" && value !== null && "type" in value;
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${String(value)}`);
}

export function move(direction: Direction): number;
export function move(direction: Direction, by: number): number;
export function move(direction: Direction, by = 1): number {
  switch (direction) {
    case Direction.Up:
      return +by;
    case Direction.Down: {
      const negative = -by;
      return negative;
    }
    default:
      return assertNever(direction);
  }
}

const slug = /^[a-z0-9]+(?:-[a-z0-9]+)*$/iu;
const quoted = /(["'`])(?:\\.|(?!\1).)*\1/g;
const path_like = /[/\\]+/;

export const parse = (text: string): Json | undefined => {
  const trimmed = text.trim().replace(path_like, "/");
  if (!slug.test(trimmed) || quoted.exec(trimmed)?.index === 0) {
    return undefined;
  }
  do {
    try {
      return JSON.parse(trimmed) as Json;
    } catch {
      break;
    }
  } while (true);
  return { text: trimmed, size: trimmed.length, half: trimmed.length / 2 };
};

export const pipe =
  <A, B, C>(first: (a: A) => B, second: (b: B) => C) =>
  (input: A): C =>
    second(first(input));

const counters = new Map<string, { hits: number; misses?: number }>([
  ["a", { hits: 1 }],
  ["b", { hits: 2, misses: 0b1010 }],
]);

let total = 0;
for (const [name, { hits, misses = 0, ...rest }] of counters) {
  total += hits * 2 ** 3 - (misses ?? 0) + Object.keys(rest).length;
  total >>>= 1;
  total ||= 1;
  if (name !== "a" && total > 1e3) {
    total = ~total & 0x7f;
  } else if (name === "a") {
    delete (rest as Record<string, unknown>).extra;
  } else {
    debugger;
  }
}

export const message = `Total: ${total.toLocaleString("de", { minimumFractionDigits: 2 })},
  nested: ${counters.size > 0 ? `yes (${[...counters.keys()].join(", ")})` : "no"} and a \`tick\`
  done.`;

export namespace Units {
  export const bytes = (n: number): string => {
    const names = ["B", "KiB", "MiB"] as const;
    let i = 0;
    while (n >= 1024 && i < names.length - 1) {
      n /= 1024;
      i++;
    }
    return `${n.toFixed(i ? 1 : 0)} ${names[i]}`;
  };
  export type Name = "B" | "KiB" | "MiB";
}

@sealed
class Report {
  @observable accessor title: string = 'A "quoted" title';
  declare readonly id: string;
  static readonly #cache: WeakMap<object, Report> = new WeakMap();

  static {
    Report.prototype.toString = function (this: Report) {
      return this.title;
    };
  }

  @memoize({ ttl: 60_000 })
  render(options: { width?: number; unit: Units.Name } = { unit: "B" }): string[] {
    const { width = 80, unit } = options;
    const lines: string[] = [];
    for (let row = 0, last = 3; row < last; row++, last--) {
      lines.push("-".repeat(width % 7), unit satisfies string);
    }
    return lines.filter(Boolean).map((line, index, { length }) => `${index + 1}/${length} ${line}`);
  }
}

function sealed<T extends abstract new (...args: any[]) => object>(target: T): T | void {
  Object.seal(target.prototype);
}
declare function observable(...args: unknown[]): any;
declare function memoize(options: { ttl: number }): MethodDecorator;

export default async function main(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  const emitter = new EventEmitter();
  const store = new Store({ count: 0, items: [] as string[] }, (state, action) => {
    if (!isAction(action) || state === undefined) return { count: 0, items: [] };
    return action.type === "add" ? { ...state, count: state.count + 1 } : state;
  });
  emitter.on("add", (item: string) => store.dispatch({ type: "add", payload: item! }));
  await Promise.all(argv.map(async (arg) => emitter.emit("add", path.basename(arg))));
  const { default: plugin } = await import("./plugin.js");
  plugin?.(store as unknown as Store<object>)!;
  console.log(store.current.count, defaults.name, limits[0]?.max, <number>store.current.items.length);
}

// a last line comment, with an apostrophe: it's here
