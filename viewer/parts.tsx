import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AgentRow, RunStatus } from '../src/viewer/model.ts';
import { STATUS_WORDS } from './format.ts';
import { useData, type Loaded } from './hooks.ts';

/** What is loaded, or that it is not. */
export function Show<T>({
  of,
  what,
  children,
}: {
  readonly of: Loaded<T> & { readonly again: () => void };
  readonly what: string;
  readonly children: (value: T) => ComponentChildren;
}): ComponentChildren {
  if (of.kind === 'loading')
    return (
      <p class="quiet" role="status">
        Loading {what}…
      </p>
    );
  if (of.kind === 'failed') return <Trouble text={of.error} again={of.again} />;
  return children(of.value);
}

export function Trouble({ text, again }: { readonly text: string; readonly again?: () => void }): ComponentChildren {
  return (
    <div class="trouble" role="alert">
      <p>{text}</p>
      {again !== undefined && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Status({ status }: { readonly status: RunStatus }): ComponentChildren {
  return <span class={`status status-${status}`}>{STATUS_WORDS[status]}</span>;
}

const STATES: Readonly<Record<AgentRow['state'], string>> = {
  starting: 'starting',
  thinking: 'asking the model',
  running: 'running code',
  waiting: 'waiting for calls',
  closing: 'ending',
  done: 'done',
};
const ENDS = {
  completed: { symbol: '✓', word: 'completed' },
  failed: { symbol: '✗', word: 'failed' },
  cancelled: { symbol: '–', word: 'stopped' },
  running: { symbol: '●', word: 'at work' },
} as const;

/** Shown by a symbol and a word, never by colour alone. */
export function AgentState({
  row,
  words = false,
}: {
  readonly row: AgentRow;
  readonly words?: boolean;
}): ComponentChildren {
  const end = row.state === 'done' && row.status === 'running' ? ENDS.completed : ENDS[row.status];
  const word = row.status === 'running' ? STATES[row.state] : end.word;
  return (
    <span class={`agent-state agent-${row.status}`} title={word}>
      <span aria-hidden="true">{row.status === 'running' && row.state === 'waiting' ? '◌' : end.symbol}</span>
      <span class={words ? '' : 'unseen'}> {word}</span>
    </span>
  );
}

export function Copy({
  text,
  what,
  label = 'Copy',
}: {
  readonly text: string | (() => Promise<string>);
  readonly what: string;
  readonly label?: string;
}): ComponentChildren {
  const [state, setState] = useState<'ready' | 'done' | 'failed'>('ready');
  useEffect(() => {
    if (state === 'ready') return undefined;
    const timer = setTimeout(() => setState('ready'), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : await text());
      setState('done');
    } catch {
      setState('failed');
    }
  };
  return (
    <button type="button" class="small" aria-label={`Copy ${what}`} onClick={() => void copy()}>
      {state === 'ready' ? label : state === 'done' ? 'Copied' : 'Not allowed'}
    </button>
  );
}

/** A link to a file, or why there is none. */
export function Download({
  link,
  children = 'Download',
}: {
  readonly link: string;
  readonly children?: ComponentChildren;
}): ComponentChildren {
  const data = useData();
  const [problem, setProblem] = useState<string | null>(null);
  const onClick = async (event: MouseEvent): Promise<void> => {
    event.preventDefault();
    setProblem(null);
    try {
      await data.check(link);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return;
    }
    const file = document.createElement('a');
    file.href = link;
    file.download = '';
    file.click();
  };
  return (
    <>
      <a href={link} download onClick={(event) => void onClick(event)}>
        {children}
      </a>
      <span role="status" class="error-text">
        {problem !== null && ` ${problem}`}
      </span>
    </>
  );
}

export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): ComponentChildren {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A bar beside its number, which says the same. */
export function Bar({ share, kind = 'own' }: { readonly share: number; readonly kind?: string }): ComponentChildren {
  return (
    <span class="bar" aria-hidden="true">
      <span class={`bar-${kind}`} style={{ width: `${Math.min(100, Math.max(share > 0 ? 0.5 : 0, share * 100))}%` }} />
    </span>
  );
}
