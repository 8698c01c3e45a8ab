import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AgentView, RunView, Text } from '../src/viewer/model.ts';
import { AgentChip } from './agent-links.tsx';
import { count, dollars, oneLine, plural, seconds, visible } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { Iteration } from './iteration.tsx';
import { AgentState, Fact, Show } from './parts.tsx';
import { agentLink, runLink } from './route.ts';
import { TextBlock } from './text-block.tsx';
import { parentOf, subtreeSums } from './tree-lines.ts';

export interface AgentPaneProps {
  readonly view: RunView;
  readonly agent: string;
  readonly iteration: number | null;
}

/** Iterations that travel at a time; the server's. */
const PAGE = 50;

export function AgentPane({ view, agent, iteration }: AgentPaneProps): ComponentChildren {
  const data = useData();
  const row = view.agents.find(({ id }) => id === agent);
  // Of an agent at work the newest iterations are shown, which is what undefined asks for.
  const [first, setFirst] = useState<number | undefined>(() => firstFor(iteration, row?.status === 'running'));
  useEffect(() => {
    if (iteration !== null) setFirst(firstFor(iteration, false));
  }, [iteration]);
  // Moves on with the agent.
  const loaded = useLoaded(() => data.agent(view.run, agent, first), [`${view.run} ${agent}`, row?.version, first]);
  return (
    <section class="agent-pane" aria-label={`Agent ${agent}`}>
      <p class="crumbs">
        <a class="only-narrow" href={runLink(view.run, 'agents')}>
          ‹ Tree
        </a>
        {lineage(agent).map((id) => (
          <a key={id} href={agentLink(view.run, id)} aria-current={id === agent ? 'page' : undefined}>
            {id}
          </a>
        ))}
      </p>
      <Show of={loaded} what={`agent ${agent}`}>
        {(loadedAgent) => (
          <Agent
            run={view.run}
            spent={subtreeSums(view.agents, ({ usage }) => usage.cost).get(agent) ?? 0}
            agent={{ ...loadedAgent, row: row ?? loadedAgent.row }}
            failed={view.agents
              .filter(({ id, status }) => status === 'failed' && id.startsWith(`${agent}.`))
              .map(({ id }) => id)}
            iteration={iteration}
            setFirst={setFirst}
          />
        )}
      </Show>
    </section>
  );
}

/** Iterations before a linked one that are shown with it. */
const BEFORE = 5;

function firstFor(iteration: number | null, isAtWork: boolean): number | undefined {
  if (iteration === null) return isAtWork ? undefined : 0;
  return iteration <= PAGE ? 0 : Math.max(0, iteration - BEFORE);
}

function lineage(agent: string): string[] {
  const parent = parentOf(agent);
  return parent === undefined ? [agent] : [...lineage(parent), agent];
}

interface AgentProps {
  readonly run: string;
  readonly agent: AgentView;
  /** USD, with all agents below it. */
  readonly spent: number;
  /** Agents below it that failed. */
  readonly failed: readonly string[];
  readonly iteration: number | null;
  readonly setFirst: (first: number | undefined) => void;
}

function Agent({ run, agent, spent, failed, iteration, setFirst }: AgentProps): ComponentChildren {
  const { row } = agent;
  const names = { run, agent: row.id };
  const shown = useRef<string>('');
  useEffect(() => {
    // Once for each link; not again when the agent moves on.
    const key = `${row.id} ${iteration}`;
    if (shown.current === key) return;
    shown.current = key;
    if (iteration === null) return;
    const found = document.querySelector<HTMLElement>(`#iteration-${iteration}`);
    found?.scrollIntoView({ block: 'start' });
    found?.focus({ preventScroll: true });
  }, [row.id, iteration, agent.iterations.length]);
  const last = agent.first + agent.iterations.length;
  return (
    <>
      <h2>
        Agent {row.id}
        {row.id === '0' && ', the root'} <AgentState row={row} words />
      </h2>
      {/* What went wrong stands before its task, which may be long. */}
      {agent.error !== null && (
        <p class="pane-task quiet" title={oneLine(row.task)}>
          {oneLine(row.task)}
        </p>
      )}
      <dl class="fact-row">
        <Fact name="Cost">{dollars(row.usage.cost)}</Fact>
        {agent.children.length > 0 && <Fact name="With all below it">{dollars(spent)}</Fact>}
        <Fact name="Time">{seconds(row.execution_time)}</Fact>
        <Fact name="Iterations">{Math.max(agent.count, row.iteration)}</Fact>
        <Fact name="Tokens">
          {count(row.usage.input_tokens)} in, {count(row.usage.output_tokens)} out
        </Fact>
        <Fact name="Model calls">{row.usage.llm_calls}</Fact>
        {agent.sandbox !== null && <Fact name="Sandbox">{agent.sandbox}</Fact>}
        {agent.variables.length > 0 && <Fact name="Variables">{agent.variables.join(', ')}</Fact>}
      </dl>
      {agent.error !== null && (
        <div class="failure" id="agent-error" tabIndex={-1}>
          <h3>Why it {row.status === 'cancelled' ? 'was stopped' : 'failed'}</h3>
          <p class="error-text pre">{agent.error}</p>
        </div>
      )}
      {agent.missing.map((each) => (
        <p key={each} class="note">
          {each}
        </p>
      ))}
      {agent.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {agent.parent !== null && <Parent run={run} parent={agent.parent} id={row.id} error={agent.error} />}
      <TextBlock {...names} text={agent.task} name="Task" kind="prose" />
      {agent.answer !== null && (
        <TextBlock {...names} text={agent.answer} name={SOURCES[row.source ?? 'final'] ?? 'Answer'} kind="prose" />
      )}
      {agent.children.length > 0 && (
        <p>
          Started {plural(agent.children.length, 'sub-agent')}:{' '}
          {agent.children.slice(0, 60).map((id) => (
            <AgentChip key={id} run={run} id={id} />
          ))}
          {agent.children.length > 60 && `and ${agent.children.length - 60} more, in the tree`}
        </p>
      )}
      {failed.length > 0 && (
        <p>
          Of all agents below it {plural(failed.length, 'has', 'have')} failed:{' '}
          {failed.slice(0, 60).map((id) => (
            <AgentChip key={id} run={run} id={id} />
          ))}
          {failed.length > 60 && `and ${failed.length - 60} more, in the tree`}
        </p>
      )}
      {agent.first > 0 && (
        <button type="button" onClick={() => setFirst(Math.max(0, agent.first - PAGE))}>
          Show iterations before {agent.iterations[0]?.iteration}
        </button>
      )}
      <ol class="iterations">
        {agent.iterations.map((each) => (
          <Iteration key={each.index} iteration={each} {...names} isLinked={each.iteration === iteration} />
        ))}
      </ol>
      {last < agent.count && (
        <button type="button" onClick={() => setFirst(last)}>
          Show iterations {last + 1} to {Math.min(agent.count, last + PAGE)} of {agent.count}
        </button>
      )}
      {row.status === 'running' && <p class="quiet">It is still running; this page follows it.</p>}
    </>
  );
}

const SOURCES: Readonly<Record<string, string>> = {
  final: 'Answer',
  text: 'Answer: the text of replies without code',
  final_answer: 'Answer: asked for when its iterations were used up',
  partial: 'Answer: the last that is known',
};

interface ParentProps {
  readonly run: string;
  readonly parent: NonNullable<AgentView['parent']>;
  readonly id: string;
  /** Why the agent failed, which stands above. */
  readonly error: string | null;
}

function Parent({ run, parent, id, error }: ParentProps): ComponentChildren {
  const names = { run, agent: parent.agent };
  const { answer, block } = parent;
  const isErrorPrinted =
    parent.isError && answer !== null && block !== null && block.output.text.trim() === answer.text.trim();
  return (
    <details class="parent" open={parent.isError}>
      <summary>What its parent, agent {parent.agent}, did then</summary>
      <p>
        Agent {parent.agent} started it in{' '}
        <a href={agentLink(run, parent.agent, parent.iteration)}>iteration {parent.iteration}</a>.
      </p>
      {answer === null ? (
        <p class="quiet">Its code has been given no answer{block === null ? ' yet' : ' that is recorded'}.</p>
      ) : (
        <Given run={run} id={id} answer={answer} error={parent.isError ? error : null} isError={parent.isError} />
      )}
      {block !== null && block.error !== null && (
        <p class="error-text pre">The block then failed: {visible(block.error)}</p>
      )}
      {isErrorPrinted && <p>Its block then printed that string.</p>}
      {block !== null && block.output.text.trim() !== '' && !isErrorPrinted && (
        <TextBlock {...names} text={block.output} agent={id} name="Its block then printed" />
      )}
      {parent.next !== null && (
        <>
          <p>
            Then, in <a href={agentLink(run, parent.agent, parent.next.iteration)}>iteration {parent.next.iteration}</a>
            , it went on:
          </p>
          {parent.next.prose.text.trim() !== '' && (
            <TextBlock {...names} text={parent.next.prose} agent={id} name="It said" kind="prose" />
          )}
        </>
      )}
      {parent.next === null && parent.block !== null && <p>It made no further iteration: that block was its last.</p>}
    </details>
  );
}

/** What the parent's code was given for an agent. An error that stands above is not repeated. */
function Given({
  run,
  id,
  answer,
  error,
  isError,
}: {
  readonly run: string;
  readonly id: string;
  readonly answer: Text;
  readonly error: string | null;
  readonly isError: boolean;
}): ComponentChildren {
  const names = { run, agent: id };
  const split = error === null ? undefined : withoutError(answer, error);
  if (split === undefined) {
    const name = isError ? 'Its code was given this error, as a string' : 'Its code was given';
    return <TextBlock {...names} text={answer} name={name} kind={isError ? 'error' : 'prose'} />;
  }
  return (
    <>
      <p>
        Its code was given{' '}
        <a href={agentLink(run, id)} onClick={showError}>
          the error above
        </a>{' '}
        as a string: <code class="error-text">{visible(split.around)}</code>
      </p>
      {split.rest !== '' && (
        <TextBlock
          {...names}
          text={{ text: split.rest, length: split.rest.length }}
          name="With it, what is known of its answer"
          kind="prose"
        />
      )}
    </>
  );
}

/** The first paragraph with a mark in the place of the error, and what follows; undefined where there is no such thing. */
function withoutError({ text, at }: Text, error: string): { around: string; rest: string } | undefined {
  const from = text.indexOf(error);
  // Of a text that is cut the rest must be loaded from where it was cut.
  if (from < 0 || at !== undefined) return undefined;
  const end = text.indexOf('\n\n', from + error.length);
  const first = end < 0 ? text : text.slice(0, end);
  return {
    around: `${first.slice(0, from)}…${first.slice(from + error.length)}`,
    rest: end < 0 ? '' : text.slice(end).trim(),
  };
}

/** The address after `#` is the page's own, so the browser cannot jump by it. */
function showError(event: Event): void {
  event.preventDefault();
  const shown = document.querySelector<HTMLElement>('#agent-error');
  shown?.scrollIntoView({ block: 'nearest' });
  shown?.focus({ preventScroll: true });
}
