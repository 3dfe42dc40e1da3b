import React, { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Card, Column as ColumnData } from "./model";
import styles from './Board.module.css';

/* A task board: columns with cards that can be dragged; it's a sample for the syntax tests. */

interface ColumnProps extends React.HTMLAttributes<HTMLElement> {
  column: ColumnData;
  children?: ReactNode;
  onMove(card: Card, to: string): void;
  render?: <T extends Card>(card: T) => JSX.Element | null;
}

type State = { status: "loading" } | { status: "ready"; columns: ColumnData[] } | { status: "failed"; error: Error };

const EMPTY: readonly ColumnData[] = [];

export const Column: React.FC<ColumnProps> = ({ column, children, onMove, render, ...rest }) => {
  const list = useRef<HTMLUListElement>(null);
  const [isOpen, setOpen] = useState<boolean>(true);
  const count = column.cards.length;

  useEffect(() => {
    if (!isOpen || !list.current) return;
    const element = list.current;
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY !== 0 && element.scrollWidth > element.clientWidth) {
        element.scrollLeft += event.deltaY;
      }
    };
    element.addEventListener("wheel", onWheel, { passive: true });
    return () => element.removeEventListener("wheel", onWheel);
  }, [isOpen]);

  return (
    <section className={styles.column} aria-label={`Column ${column.title}`} {...rest}>
      <header onClick={() => setOpen((open) => !open)}>
        <h2>
          {column.title} <small>({count > 99 ? "99+" : count})</small>
        </h2>
        {/* the button only shows while the list is open */}
        {isOpen && <button type="button" disabled={count === 0}>Clear &amp; close &mdash; it&#39;s final</button>}
      </header>
      {isOpen ? (
        <ul ref={list} data-count={count} style={{ maxHeight: 400, overflowY: "auto" }}>
          {column.cards.map((card, index) => (
            <li key={card.id} className={index % 2 ? "odd" : 'even'} tabIndex={-1}>
              {render?.(card) ?? <CardView card={card} onDone={() => onMove(card, "done")} />}
            </li>
          ))}
          <>
            <li>and a fragment</li>
            {children}
          </>
        </ul>
      ) : null}
    </section>
  );
};

function CardView({ card, onDone }: { card: Card; onDone: () => void }) {
  const title = useMemo(() => card.title.replace(/\s+/g, " ").trim() || "Untitled", [card.title]);
  const isLate = card.due !== undefined && card.due < Date.now();
  return (
    <article className={[styles.card, isLate ? styles.late : ""].filter(Boolean).join(" ")}>
      <p title={title}>{title}</p>
      <label>
        Done?{" "}
        <input type="checkbox" checked={card.done} onChange={(e) => e.target.checked && onDone()} />
      </label>
      {card.tags?.length ? (
        <footer>
          {card.tags.map((tag) => <Tag.Chip key={tag} text={tag} colour={`#${hash(tag).toString(16)}`} />)}
        </footer>
      ) : (
        <hr />
      )}
    </article>
  );
}

namespace Tag {
  export function Chip(props: { text: string; colour: string; big?: true }): JSX.Element {
    return <span style={{ background: props.colour }} className="chip">{props.text}</span>;
  }
}

function hash(text: string): number {
  let value = 5381;
  for (let i = 0; i < text.length; i++) {
    value = ((value << 5) + value) ^ text.charCodeAt(i);
  }
  return value >>> 0;
}

export class Boundary extends React.Component<{ fallback: ReactNode; children: ReactNode }, { failed: boolean }> {
  state = { failed: false };

  static getDerivedStateFromError(_error: unknown): { failed: boolean } {
    return { failed: true };
  }

  componentDidCatch(error: Error, info: React.ErrorInfo): void {
    console.error("board failed", error.message, info.componentStack?.split("\n")[1]);
  }

  render(): ReactNode {
    const { fallback, children } = this.props;
    return this.state.failed ? fallback : children;
  }
}

export function useBoard(url: string, { retries = 3 }: { retries?: number } = {}): State {
  const [state, setState] = useState<State>({ status: "loading" });

  const load = useCallback(
    async (attempt: number, signal: AbortSignal): Promise<void> => {
      try {
        const response = await fetch(`${url}?attempt=${attempt}`, { signal });
        if (!response.ok) throw new Error(`HTTP ${response.status}: ${response.statusText}`);
        const columns = (await response.json()) as ColumnData[];
        setState({ status: "ready", columns });
      } catch (error) {
        if (signal.aborted) return;
        if (attempt < retries) {
          window.setTimeout(() => void load(attempt + 1, signal), 2 ** attempt * 100);
        } else {
          setState({ status: "failed", error: error as Error });
        }
      }
    },
    [url, retries],
  );

  useEffect(() => {
    const controller = new AbortController();
    void load(0, controller.signal);
    return () => controller.abort();
  }, [load]);

  return state;
}

const SelectBox = <T extends string | number>({ options, value, onPick }: {
  options: readonly T[];
  value: T;
  onPick: (value: T) => void;
}) => (
  <select value={value} onChange={(event) => onPick(options[event.target.selectedIndex]!)}>
    {options.map((option) => (
      <option key={option} value={option}>
        {String(option).toUpperCase()}
      </option>
    ))}
  </select>
);

export default function Board({ url }: { url: string }): JSX.Element {
  const state = useBoard(url, { retries: 5 });
  const [sort, setSort] = useState<"title" | "due">("title");
  const columns = state.status === "ready" ? state.columns : EMPTY;

  const sorted = useMemo(
    () =>
      [...columns].sort((a, b) => {
        switch (sort) {
          case "due":
            return (a.due ?? Infinity) - (b.due ?? Infinity);
          default:
            return a.title.localeCompare(b.title);
        }
      }),
    [columns, sort],
  );

  if (state.status === "failed") {
    return <p role="alert">Could not load: {state.error.message}. <a href="#" onClick={() => location.reload()}>Again?</a></p>;
  }

  return (
    <Boundary fallback={<p>Something went wrong.</p>}>
      <nav>
        <SelectBox options={["title", "due"] as const} value={sort} onPick={setSort} />
        <img src="/logo.svg" alt='A "logo"' width={24} height={24} />
      </nav>
      <main className={styles.board} data-status={state.status}>
        {state.status === "loading" && <progress max={100} />}
        {sorted.map((column) => (
          <Column key={column.id} column={column} onMove={(card, to) => console.log(card.id, "->", to)}>
            {column.cards.length === 0 && <li>Nothing here yet.</li>}
          </Column>
        ))}
        <svg:rect x="1" y={2} xlink:href="#a" />
      </main>
      <footer>
        Total: {sorted.reduce((sum, { cards }) => sum + cards.length, 0)} cards in {sorted.length} columns
      </footer>
    </Boundary>
  );
}
