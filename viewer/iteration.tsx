import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { BlockView, CallView, IterationView } from '../src/viewer/model.ts';
import { AgentChip, hasFailed, useAgentRows } from './agent-links.tsx';
import { FailedChildren } from './failed-children.tsx';
import { groupFailures } from './failure-groups.ts';
import { count, dollars, plural, seconds } from './format.ts';
import { ForkForm } from './fork-form.tsx';
import { useData, useLoaded, useShownRun } from './hooks.ts';
import { OutcomeLine, useOrders } from './order.tsx';
import { Copy, Show } from './parts.tsx';
import { RequestDiff } from './request-diff.tsx';
import { agentLink } from './route.ts';
import { TextBlock } from './text-block.tsx';

export interface IterationProps {
  readonly iteration: IterationView;
  readonly run: string;
  readonly agent: string;
  readonly isLinked: boolean;
}

export function Iteration({ iteration, run, agent, isLinked }: IterationProps): ComponentChildren {
  const names = { run, agent };
  const { usage } = iteration;
  const title = iteration.purpose === 'final_answer' ? 'Final answer' : `Iteration ${iteration.iteration}`;
  const link = agentLink(run, agent, iteration.iteration);
  const { view } = useShownRun();
  const orders = useOrders();
  const [forks, setForks] = useState(false);
  const forkButton = useRef<HTMLButtonElement>(null);
  const closeFork = (): void => {
    setForks(false);
    forkButton.current?.focus();
  };
  return (
    <li id={`iteration-${iteration.iteration}`} class={`iteration ${isLinked ? 'is-linked' : ''}`} tabIndex={-1}>
      <div class="iteration-head">
        <h3>
          <a href={link}>{title}</a>
        </h3>
        <span class="quiet">
          {iteration.model} · {seconds(iteration.model_time)} · {count(usage.input_tokens)} tokens in,{' '}
          {count(usage.output_tokens)} out · {dollars(usage.cost)}
        </span>
        <Copy
          what={`link to ${title.toLowerCase()}`}
          label="Copy link"
          text={() => Promise.resolve(location.href.replace(/#.*/, '') + link)}
        />
        {iteration.purpose === 'turn' && view.controls.includes('fork') && (
          <button
            ref={forkButton}
            type="button"
            class="small"
            aria-label={`Fork from here… (iteration ${iteration.iteration})`}
            aria-expanded={forks}
            disabled={view.uncontrollable !== null}
            title={view.uncontrollable ?? undefined}
            onClick={() => setForks(!forks)}
          >
            Fork from here…
          </button>
        )}
      </div>
      {forks && <ForkForm agents={[agent]} iteration={iteration.iteration} orders={orders} onClose={closeFork} />}
      {orders.outcome !== null && <OutcomeLine orders={orders} />}
      {iteration.events.map((event) => (
        <p key={event} class="note pre">
          {event}
        </p>
      ))}
      <details>
        <summary>What the model was sent last</summary>
        <TextBlock {...names} text={iteration.prompt} name="Prompt" kind="prose" />
      </details>
      {iteration.reasoning !== null && (
        <details>
          <summary>Reasoning</summary>
          <TextBlock {...names} text={iteration.reasoning} name="Reasoning" kind="prose" />
        </details>
      )}
      {iteration.prose.text.trim() !== '' && (
        <TextBlock {...names} text={iteration.prose} name="The model said" kind="prose" />
      )}
      {iteration.not_run !== null && <p class="note">{iteration.not_run}</p>}
      {iteration.blocks.map((block) => (
        <Block key={block.block} block={block} {...names} />
      ))}
      <RawExchange iteration={iteration} {...names} />
    </li>
  );
}

const BLOCK_STATUS: Readonly<Record<BlockView['status'], string>> = {
  running: 'running',
  ok: '',
  error: 'raised an error',
  timeout: 'ran out of time',
  crashed: 'ended its interpreter',
  memory: 'used too much memory',
  interrupted: 'was interrupted',
};

function Block({
  block,
  run,
  agent,
}: {
  readonly block: BlockView;
  readonly run: string;
  readonly agent: string;
}): ComponentChildren {
  const names = { run, agent };
  const what = BLOCK_STATUS[block.status];
  const printed = [block.stdout.text, block.stderr.text, block.error?.text ?? ''].join('\n');
  return (
    <div class={`block block-${block.status}`}>
      <TextBlock
        {...names}
        text={block.code}
        name={`Code${what === '' ? '' : `: ${what}`}`}
        language="python"
        kind="code"
      />
      {block.calls.map((call) => (
        <Call key={call.call} call={call} printed={printed} {...names} />
      ))}
      {block.calls.length === 0 && block.spawned.length > 0 && (
        <p>
          Started{' '}
          {block.spawned.map((id) => (
            <AgentChip key={id} run={run} id={id} />
          ))}
        </p>
      )}
      {block.stdout.text !== '' && <TextBlock {...names} text={block.stdout} name="Output" />}
      {block.stderr.text !== '' && <TextBlock {...names} text={block.stderr} name="Error output" />}
      {block.error !== null && <TextBlock {...names} text={block.error} name="Error" kind="error" />}
      <p class="quiet block-foot">
        {block.status === 'running' ? 'It runs.' : `${seconds(block.execution_time)} of computing`}
        {block.final && ' · gave the answer'}
      </p>
    </div>
  );
}

/** Agents that stand beside their call, where they are seen without opening it. */
const MAX_BESIDE = 8;

function Call({
  call,
  printed,
  run,
  agent,
}: {
  readonly call: CallView;
  /** By the block that made it. */
  readonly printed: string;
  readonly run: string;
  readonly agent: string;
}): ComponentChildren {
  const [isOpen, setOpen] = useState(false);
  const rows = useAgentRows();
  const errors = new Map(call.failures.map((failure) => [failure.agent, failure.error]));
  const all = [...new Set([...call.children.filter((id) => id !== null), ...errors.keys()])];
  const isFailure = (id: string): boolean => errors.has(id) || hasFailed(rows.get(id));
  const children = all.filter((id) => !isFailure(id));
  const failures = all.filter(isFailure);
  const isShort = children.length <= MAX_BESIDE;
  return (
    <>
      <details class="call" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <code>{call.function}</code> {call.count === 1 ? '' : `of ${call.count} `}
          {!call.answered && <span class="waiting">waits for its answer</span>}
          {call.errors > 0 && <span class="error-text">{plural(call.errors, 'error')}</span>}
          {call.usage.cost > 0 && <span class="quiet"> {dollars(call.usage.cost)}</span>}
        </summary>
        {!isShort && <Children run={run} ids={children} />}
        {isOpen && call.details && <CallItems call={call} run={run} agent={agent} />}
        {isOpen && !call.details && <p class="quiet">What was asked and answered is not part of this file.</p>}
      </details>
      {isShort && <Children run={run} ids={children} />}
      <FailedChildren run={run} groups={groupFailures(failures, errors, printed)} />
    </>
  );
}

function Children({ run, ids }: { readonly run: string; readonly ids: readonly string[] }): ComponentChildren {
  if (ids.length === 0) return null;
  return (
    <p>
      Answered by{' '}
      {ids.map((id) => (
        <AgentChip key={id} run={run} id={id} />
      ))}
    </p>
  );
}

const ITEMS = 50;

function CallItems({
  call,
  run,
  agent,
}: {
  readonly call: CallView;
  readonly run: string;
  readonly agent: string;
}): ComponentChildren {
  const data = useData();
  const [first, setFirst] = useState(0);
  const loaded = useLoaded(() => data.call({ run, agent, call: call.call }, first), [call.call, first, call.answered]);
  return (
    <Show of={loaded} what="the call">
      {(details) => (
        <>
          <ol class="call-items" start={first + 1}>
            {details.items.map((item, index) => (
              <li key={index}>
                <TextBlock run={run} agent={agent} text={item.asked} name="Asked" kind="prose" />
                {item.error !== null && <p class="error-text pre">{item.error}</p>}
                {item.answer !== null && (
                  <TextBlock run={run} agent={agent} text={item.answer} name="Answered" kind="prose" />
                )}
                {item.answer === null && item.error === null && <p class="waiting">No answer yet.</p>}
                <p class="quiet">
                  {item.child !== null && <a href={agentLink(run, item.child)}>Agent {item.child}</a>}
                  {item.usage !== null &&
                    ` ${count(item.usage.input_tokens)} tokens in, ${count(item.usage.output_tokens)} out, ${dollars(item.usage.cost)}`}
                </p>
              </li>
            ))}
          </ol>
          {details.count > ITEMS && (
            <p>
              <button type="button" class="small" disabled={first === 0} onClick={() => setFirst(first - ITEMS)}>
                Before
              </button>{' '}
              {first + 1} to {Math.min(details.count, first + ITEMS)} of {details.count}{' '}
              <button
                type="button"
                class="small"
                disabled={first + ITEMS >= details.count}
                onClick={() => setFirst(first + ITEMS)}
              >
                Next
              </button>
            </p>
          )}
        </>
      )}
    </Show>
  );
}

function RawExchange({
  iteration,
  run,
  agent,
}: {
  readonly iteration: IterationView;
  readonly run: string;
  readonly agent: string;
}): ComponentChildren {
  const data = useData();
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Raw request and reply
        {iteration.request !== null && (
          <span class="quiet">
            {' '}
            {plural(iteration.request.messages, 'message')}, {count(iteration.request.characters)} characters
          </span>
        )}
      </summary>
      {isOpen && (
        <>
          {data.isLive && iteration.request !== null && <RequestDiff run={run} agent={agent} index={iteration.index} />}
          <TextBlock
            run={run}
            agent={agent}
            text={iteration.reply}
            name={`Reply (${iteration.finish_reason || 'no reason given'})`}
            kind="prose"
          />
        </>
      )}
    </details>
  );
}
