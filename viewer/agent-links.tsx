import type { ComponentChildren } from 'preact';
import type { AgentRow } from '../src/viewer/model.ts';
import { useShownRun } from './hooks.ts';
import { agentLink } from './route.ts';

const indexes = new WeakMap<readonly AgentRow[], ReadonlyMap<string, AgentRow>>();

/** The agents of the run that is shown, by id. */
export function useAgentRows(): ReadonlyMap<string, AgentRow> {
  const { agents } = useShownRun().view;
  const known = indexes.get(agents);
  if (known !== undefined) return known;
  const rows = new Map(agents.map((row) => [row.id, row]));
  indexes.set(agents, rows);
  return rows;
}

/** Whether it ended without an answer. */
export function hasFailed(row: AgentRow | undefined): boolean {
  return row?.status === 'failed' || row?.status === 'cancelled';
}

/** A link to an agent; one that failed is marked. */
export function AgentChip({ run, id }: { readonly run: string; readonly id: string }): ComponentChildren {
  const isFailed = useAgentRows().get(id)?.status === 'failed';
  return (
    <a class="agent-chip" href={agentLink(run, id)}>
      {isFailed && (
        <>
          <span class="error-text" aria-hidden="true">
            ✗
          </span>
          <span class="unseen">failed:</span>{' '}
        </>
      )}
      {id}
    </a>
  );
}

/** A sentence in which each agent of the run that it names is a link. */
export function WithAgentLinks({
  run,
  text,
  iteration,
}: {
  readonly run: string;
  readonly text: string;
  /** Where the links lead to. */
  readonly iteration?: number | undefined;
}): ComponentChildren {
  const rows = useAgentRows();
  // Every second part is what the pattern found.
  return text.split(/\b([Aa]gent 0(?:\.\d+)*)\b/).map((part, index) => {
    const id = part.slice('agent '.length);
    return index % 2 === 1 && rows.has(id) ? (
      <a key={index} href={agentLink(run, id, iteration)}>
        {part}
      </a>
    ) : (
      part
    );
  });
}
