import { createContext, useContext, useId, useReducer } from "react";
import type { ChangeEvent, FormEvent, PropsWithChildren } from "react";

type Field = { name: string; label: string; kind: "text" | "number" | "email"; required?: boolean };
type Values = Record<string, string>;
type Action =
  | { type: "changed"; name: string; value: string }
  | { type: "touched"; name: string }
  | { type: "reset"; values?: Values };

interface FormState {
  values: Values;
  touched: Set<string>;
  errors: Map<string, string>;
}

const Context = createContext<[FormState, (action: Action) => void] | null>(null);
const EMAIL = /^[^\s@]+@[^\s@]+\.[a-z]{2,}$/i;

function validate(field: Field, value: string): string | undefined {
  if (field.required && !value.trim()) return `${field.label} is required`;
  if (!value) return undefined;
  switch (field.kind) {
    case "number":
      return Number.isNaN(Number(value)) ? "Not a number" : undefined;
    case "email":
      return EMAIL.test(value) ? undefined : "That doesn't look like an address";
    case "text":
      break;
  }
  return value.length > 200 ? "Too long" : undefined;
}

function reduce(state: FormState, action: Action): FormState {
  if (action.type === "changed") {
    return { ...state, values: { ...state.values, [action.name]: action.value } };
  } else if (action.type === "touched") {
    return { ...state, touched: new Set([...state.touched, action.name]) };
  }
  return { values: action.values ?? {}, touched: new Set(), errors: new Map() };
}

export function useField(name: string) {
  const context = useContext(Context);
  if (context === null) throw new Error(`useField("${name}") outside of <Form>`);
  const [state, dispatch] = context;
  return {
    value: state.values[name] ?? "",
    error: state.touched.has(name) ? state.errors.get(name) : undefined,
    onChange: (event: ChangeEvent<HTMLInputElement>) =>
      dispatch({ type: "changed", name, value: event.currentTarget.value }),
    onBlur: () => dispatch({ type: "touched", name }),
  } as const;
}

export function Input({ field }: { field: Field }): JSX.Element {
  const id = useId();
  const { error, ...bindings } = useField(field.name);
  return (
    <div className={error ? "field field--bad" : "field"}>
      <label htmlFor={id}>
        {field.label}
        {field.required ? <abbr title="required">*</abbr> : null}
      </label>
      <input id={id} type={field.kind} {...bindings} aria-invalid={!!error} autoComplete="off" />
      {error && (
        <p className="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

export function Form({
  fields,
  initial = {},
  onSubmit,
  children,
}: PropsWithChildren<{ fields: Field[]; initial?: Values; onSubmit: (values: Values) => Promise<void> | void }>) {
  const [state, dispatch] = useReducer(reduce, { values: initial, touched: new Set<string>(), errors: new Map() });

  async function submit(event: FormEvent) {
    event.preventDefault();
    const errors = new Map<string, string>();
    for (const field of fields) {
      const problem = validate(field, state.values[field.name] ?? "");
      if (problem !== undefined) errors.set(field.name, problem);
    }
    if (errors.size === 0) {
      await onSubmit(state.values);
      dispatch({ type: "reset" });
    }
  }

  return (
    <Context.Provider value={[state, dispatch]}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        {fields.map((field) => <Input key={field.name} field={field} />)}
        {children}
        <button type="submit" disabled={state.errors.size > 0}>
          Save
        </button>
        <button type="button" onClick={() => dispatch({ type: "reset", values: initial })}>Reset</button>
      </form>
    </Context.Provider>
  );
}
