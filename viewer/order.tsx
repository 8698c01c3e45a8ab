import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ControlOutcome } from '../src/viewer/model.ts';
import { visible } from './format.ts';
import { useData, useShownRun } from './hooks.ts';
import { runLink } from './route.ts';

/** What came of the last order. */
export type Outcome =
  | { readonly kind: 'done'; readonly of: ControlOutcome }
  | { readonly kind: 'refused'; why: string };

export interface Orders {
  readonly isBusy: boolean;
  readonly outcome: Outcome | null;
  /** @returns whether it was done */
  send(order: object): Promise<boolean>;
}

/** Tells the run that is shown something, and looks at it again. */
export function useOrders(): Orders {
  const data = useData();
  const { view, refresh } = useShownRun();
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const send = async (order: object): Promise<boolean> => {
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome({ kind: 'done', of: await data.control(view.run, order) });
      return true;
    } catch (error) {
      setOutcome({ kind: 'refused', why: error instanceof Error ? error.message : String(error) });
      return false;
    } finally {
      setBusy(false);
      refresh();
    }
  };
  return { isBusy, outcome, send };
}

/** Read aloud when it changes. */
export function OutcomeLine({ orders }: { readonly orders: Orders }): ComponentChildren {
  const { outcome, isBusy } = orders;
  const { view } = useShownRun();
  const started = outcome?.kind === 'done' ? outcome.of.run : undefined;
  return (
    <p role="status" class={`outcome ${outcome?.kind === 'refused' ? 'error-text' : 'quiet'}`}>
      {isBusy && 'Sending…'}
      {outcome?.kind === 'refused' && visible(outcome.why)}
      {outcome?.kind === 'done' && visible(outcome.of.said.join(' '))}
      {started !== undefined && started !== view.run && (
        <>
          {' '}
          <a href={runLink(started)}>Open run {started}</a>
        </>
      )}
    </p>
  );
}

/**
 * A form that opens below its button: its first field has the focus, Escape closes it.
 *
 * @param onClose gives the focus back
 */
export function AskForm({
  label,
  onSubmit,
  onClose,
  children,
}: {
  readonly label: string;
  readonly onSubmit: (fields: FormData) => void;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}): ComponentChildren {
  const form = useRef<HTMLFormElement>(null);
  // At once: what is typed next is meant for it.
  useLayoutEffect(() => {
    const first = (selector: string): HTMLElement | null | undefined => form.current?.querySelector(selector);
    (first('[data-first]') ?? first('input, textarea, button'))?.focus();
  }, []);
  return (
    <form
      ref={form}
      class="ask"
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit(new FormData(event.currentTarget));
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onClose();
      }}
    >
      {children}
    </form>
  );
}

/** A field's text, or nothing where it was left empty. */
export function textOf(fields: FormData, name: string): string | undefined {
  const text = fields.get(name);
  return typeof text === 'string' && text.trim() !== '' ? text.trim() : undefined;
}

export function numberOf(fields: FormData, name: string): number | undefined {
  const text = textOf(fields, name);
  return text === undefined ? undefined : Number(text);
}

/** Those that were filled in. */
export function filled(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
