import { diffLines } from 'diff';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { RunView } from '../src/viewer/model.ts';
import { count, dollars, oneLine, seconds, visible } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { AgentState, Show, Status } from './parts.tsx';
import { agentLink, runLink } from './route.ts';

/** Characters of an answer that are compared line by line. */
const MAX_COMPARED = 50_000;
const MAX_AGENTS = 500;

export function ComparePage({ a, b }: { readonly a: string; readonly b: string }): ComponentChildren {
  const data = useData();
  const loaded = useLoaded(() => Promise.all([data.run(a), data.run(b)]), [`${a} ${b}`]);
  useEffect(() => {
    document.title = `${a} and ${b}`;
  }, [a, b]);
  return (
    <div class="wide">
      <h1>Compare two runs</h1>
      <Show of={loaded} what="the two runs">
        {([one, other]) => <Comparison one={one} other={other} />}
      </Show>
    </div>
  );
}

const FACTS: readonly (readonly [string, (view: RunView) => ComponentChildren])[] = [
  ['Status', (view) => <Status status={view.status} />],
  ['Why', (view) => visible(view.reason ?? '')],
  ['Cost', (view) => dollars(view.totals.usage.cost)],
  ['Time', (view) => seconds(view.execution_time)],
  ['Agents', (view) => view.totals.agents],
  ['Depth', (view) => view.totals.max_depth],
  ['Iterations', (view) => view.totals.iterations],
  ['Tokens in', (view) => count(view.totals.usage.input_tokens)],
  ['Tokens out', (view) => count(view.totals.usage.output_tokens)],
  ['Model calls', (view) => view.totals.usage.llm_calls],
  ['Failed agents', (view) => view.agents.filter(({ status }) => status === 'failed').length],
];

function Comparison({ one, other }: { readonly one: RunView; readonly other: RunView }): ComponentChildren {
  const settings = useMemo(() => differences(one.config, other.config), [one, other]);
  const ids = useMemo(() => {
    const known = new Map(other.agents.map((row) => [row.id, row]));
    const all = one.agents.map((row) => ({ id: row.id, one: row, other: known.get(row.id) }));
    const first = new Set(one.agents.map((row) => row.id));
    return [
      ...all,
      ...other.agents.filter((row) => !first.has(row.id)).map((row) => ({ id: row.id, one: undefined, other: row })),
    ];
  }, [one, other]);
  return (
    <>
      <div class="scroll-x" role="region" aria-label="Figures" tabIndex={0}>
        <table class="compare">
          <thead>
            <tr>
              <th>
                <span class="unseen">What</span>
              </th>
              {[one, other].map((view, index) => (
                <th key={index}>
                  <a href={runLink(view.run)}>{view.run}</a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">Asked</th>
              <td>{oneLine(one.prompt.text.slice(0, 300))}</td>
              <td>{oneLine(other.prompt.text.slice(0, 300))}</td>
            </tr>
            {FACTS.map(([name, read]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{read(one)}</td>
                <td>{read(other)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h2>Settings that differ</h2>
      {settings.length === 0 ? (
        <p class="quiet">None.</p>
      ) : (
        <div class="scroll-x" role="region" aria-label="Settings that differ" tabIndex={0}>
          <table class="compare">
            <tbody>
              {settings.map(({ name, a, b }) => (
                <tr key={name}>
                  <th scope="row">
                    <code>{name}</code>
                  </th>
                  <td>{a}</td>
                  <td>{b}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <h2>Answers</h2>
      <AnswerDiff a={one.answer?.text ?? ''} b={other.answer?.text ?? ''} />
      <h2>Agents</h2>
      <div class="scroll-x" role="region" aria-label="Agents" tabIndex={0}>
        <table class="compare">
          <thead>
            <tr>
              <th>Agent</th>
              <th>{one.run}</th>
              <th>{other.run}</th>
            </tr>
          </thead>
          <tbody>
            {ids.slice(0, MAX_AGENTS).map((line) => (
              <tr key={line.id}>
                <th scope="row">{line.id}</th>
                {[
                  { run: one.run, row: line.one },
                  { run: other.run, row: line.other },
                ].map(({ run, row }, index) => (
                  <td key={index}>
                    {row === undefined ? (
                      <span class="quiet">not there</span>
                    ) : (
                      <>
                        <AgentState row={row} /> <a href={agentLink(run, row.id)}>{dollars(row.usage.cost)}</a>,{' '}
                        {row.iteration} iterations, {seconds(row.execution_time)}
                        <span class="quiet task">{oneLine(row.task)}</span>
                      </>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {ids.length > MAX_AGENTS && (
        <p class="quiet">
          The first {MAX_AGENTS} of {ids.length} agents.
        </p>
      )}
    </>
  );
}

function AnswerDiff({ a, b }: { readonly a: string; readonly b: string }): ComponentChildren {
  const parts = useMemo(() => diffLines(a.slice(0, MAX_COMPARED), b.slice(0, MAX_COMPARED)), [a, b]);
  if (a === b) return <p class="quiet">{a === '' ? 'Neither has one.' : 'They are the same.'}</p>;
  return (
    <pre tabIndex={0} role="group" aria-label="Answers, compared">
      {parts.map((part, index) =>
        part.added ? (
          <ins key={index}>{visible(part.value)}</ins>
        ) : part.removed ? (
          <del key={index}>{visible(part.value)}</del>
        ) : (
          visible(part.value)
        ),
      )}
    </pre>
  );
}

interface Difference {
  readonly name: string;
  readonly a: string;
  readonly b: string;
}

function differences(a: unknown, b: unknown, name = ''): Difference[] {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject(a) && isObject(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].flatMap((key) => differences(a[key], b[key], name === '' ? key : `${name}.${key}`));
  }
  const [left, right] = [JSON.stringify(a) ?? 'not set', JSON.stringify(b) ?? 'not set'];
  return left === right ? [] : [{ name: name === '' ? 'all' : name, a: left, b: right }];
}
