/// <reference lib="es2022" />
declare module "geometry" {
  export interface Point {
    x: number;
    y: number;
    readonly z?: number;
    [axis: string]: number | undefined;
  }

  /** A polygon; `holes` are given clockwise. */
  export class Polygon<P extends Point = Point> {
    constructor(points: Iterable<P>, holes?: P[][]);
    static from<T>(source: T, map: (value: T, i: number) => Point): Polygon;
    readonly area: number;
    contains(point: P, options?: Partial<Options>): boolean;
    get bounds(): [min: P, max: P];
    protected cache: Map<string, P> | null;
  }

  export type Options = { epsilon: number; rule: "even-odd" | "non-zero" };
  export type Maybe<T> = T extends undefined | null ? never : T;
  export type Visitor = { [K in "enter" | "leave"]?: (node: unknown, depth: number) => void | false };
  export const origin: unique symbol;
  export let precision: 1 | 2 | 3;
  export default function distance(a: Point, b: Point): number;
  export function convert(value: string): Point;
  export function convert(value: Point): string;
  export function isPoint(value: any): value is Point;
  export abstract class Shape {
    abstract draw(context: CanvasRenderingContext2D): void;
    private constructor();
  }
  export enum Axis {
    X = "x",
    Y = "y",
  }
  namespace internal {
    function grow(by: number, ...rest: Array<keyof Point>): asserts by is 1;
    type Keys = keyof typeof table;
    const table: { a: 1; b: 2 };
  }
  import util = internal.grow;
  export = distance;
}

declare var VERSION: string;
declare const enum Flags {
  None = 0,
  All = ~0,
}
