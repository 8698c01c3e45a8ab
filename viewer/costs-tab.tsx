import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { AgentRow, RunView } from '../src/viewer/model.ts';
import { count, dollars, oneLine, plural, seconds } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { AgentState, Bar, Show } from './parts.tsx';
import { agentLink } from './route.ts';
import { rowText, subtreeSums } from './tree-lines.ts';
import { useRows } from './virtual.ts';

const ROW_HEIGHT = 28;
type Measure = 'cost' | 'tokens' | 'calls';
const MEASURES: Readonly<
  Record<
    Measure,
    { readonly name: string; readonly of: (row: AgentRow) => number; readonly text: (value: number) => string }
  >
> = {
  cost: { name: 'Cost', of: ({ usage }) => usage.cost, text: dollars },
  tokens: { name: 'Tokens', of: ({ usage }) => usage.input_tokens + usage.output_tokens, text: count },
  calls: { name: 'Model calls', of: ({ usage }) => usage.llm_calls, text: count },
};

export function CostsTab({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const [measure, setMeasure] = useState<Measure>(view.totals.usage.cost > 0 ? 'cost' : 'tokens');
  const statistics = useLoaded(() => data.statistics(view.run), [view.run, view.totals.done]);
  const { of, text } = MEASURES[measure];
  return (
    <div class="wide">
      <div class="filters">
        <label>
          Measure
          <select value={measure} onChange={(event) => setMeasure(event.currentTarget.value as Measure)}>
            {Object.entries(MEASURES).map(([key, { name }]) => (
              <option key={key} value={key}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="columns">
        <section>
          <h2>By depth</h2>
          <DepthTable agents={view.agents} of={of} text={text} />
        </section>
        <section>
          <h2>By model</h2>
          <Show of={statistics} what="what the models took">
            {({ by_model, blocks, failed_blocks, queries, tool_calls, code_time }) => (
              <>
                <div class="scroll-x" role="region" aria-label="By model" tabIndex={0}>
                  <table>
                    <thead>
                      <tr>
                        <th>Model</th>
                        <th class="number">Calls</th>
                        <th class="number">Tokens in</th>
                        <th class="number">Out</th>
                        <th class="number">Cost</th>
                        <th class="number">Time</th>
                      </tr>
                    </thead>
                    <tbody>
                      {by_model.map((each) => (
                        <tr key={each.model}>
                          <td>{each.model === '' ? 'not named' : each.model}</td>
                          <td class="number">{each.calls}</td>
                          <td class="number">{count(each.usage.input_tokens)}</td>
                          <td class="number">{count(each.usage.output_tokens)}</td>
                          <td class="number">{dollars(each.usage.cost)}</td>
                          <td class="number">{each.seconds === 0 ? '' : seconds(each.seconds)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
                <p class="quiet">
                  {plural(blocks, 'block')} of code in {seconds(code_time)}, {failed_blocks} failed;{' '}
                  {plural(queries, 'prompt')} of llm_query; {plural(tool_calls, 'call')} of tools.
                </p>
              </>
            )}
          </Show>
        </section>
      </div>
      <h2>By agent</h2>
      <CostTree view={view} of={of} text={text} />
    </div>
  );
}

interface MeasureProps {
  readonly of: (row: AgentRow) => number;
  readonly text: (value: number) => string;
}

function DepthTable({ agents, of, text }: MeasureProps & { readonly agents: readonly AgentRow[] }): ComponentChildren {
  const depths = useMemo(() => {
    const sums = new Map<number, { agents: number; failed: number; sum: number; iterations: number }>();
    for (const row of agents) {
      const before = sums.get(row.depth) ?? { agents: 0, failed: 0, sum: 0, iterations: 0 };
      sums.set(row.depth, {
        agents: before.agents + 1,
        failed: before.failed + (row.status === 'failed' ? 1 : 0),
        sum: before.sum + of(row),
        iterations: before.iterations + row.iteration,
      });
    }
    return [...sums].toSorted(([a], [b]) => a - b);
  }, [agents, of]);
  const most = Math.max(0, ...depths.map(([, { sum }]) => sum));
  return (
    <div class="scroll-x" role="region" aria-label="By depth" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th class="number">Depth</th>
            <th class="number">Agents</th>
            <th class="number">Failed</th>
            <th class="number">Iterations</th>
            <th class="number">Sum</th>
            <th>
              <span class="unseen">Share</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {depths.map(([depth, { agents: some, failed, sum, iterations }]) => (
            <tr key={depth}>
              <td class="number">{depth}</td>
              <td class="number">{some}</td>
              <td class="number">{failed}</td>
              <td class="number">{iterations}</td>
              <td class="number">{text(sum)}</td>
              <td class="bar-cell">
                <Bar share={most === 0 ? 0 : sum / most} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CostTree({ view, of, text }: MeasureProps & { readonly view: RunView }): ComponentChildren {
  const scroller = useRef<HTMLDivElement>(null);
  const [isSorted, setSorted] = useState(false);
  const sums = useMemo(() => subtreeSums(view.agents, of), [view.agents, of]);
  const lines = useMemo(
    () => (isSorted ? view.agents.toSorted((a, b) => of(b) - of(a)) : view.agents),
    [view.agents, isSorted, of],
  );
  const rows = useRows(scroller, { count: lines.length, height: ROW_HEIGHT });
  const total = sums.get('0') ?? 0;
  return (
    <>
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={isSorted} onChange={(event) => setSorted(event.currentTarget.checked)} />
          Most first, by what it took itself
        </label>
        <ul class="legend">
          <li>
            <span class="swatch bar-own" /> itself
          </li>
          <li>
            <span class="swatch bar-below" /> with all below it
          </li>
          {view.agents.some(({ status }) => status === 'failed') && (
            <li>
              <span class="swatch bar-failed" /> itself, and it failed (✗)
            </li>
          )}
        </ul>
      </div>
      <div ref={scroller} class="cost-tree" role="region" aria-label="By agent" tabIndex={0}>
        <ol class="rows" style={{ height: `${rows.getTotalSize()}px` }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const row = lines[index];
            if (row === undefined) return null;
            const [own, all] = [of(row), sums.get(row.id) ?? 0];
            return (
              <li key={row.id} class={`cost-row agent-${row.status}`} style={{ transform: `translateY(${start}px)` }}>
                <a
                  href={agentLink(view.run, row.id)}
                  style={{ paddingLeft: `${6 + (isSorted ? 0 : Math.min(row.depth, 10) * 12)}px` }}
                >
                  <AgentState row={row} /> {row.id}
                </a>
                <span class="cost-bars" aria-hidden="true">
                  <span class="bar-below" style={{ width: `${total === 0 ? 0 : (all / total) * 100}%` }} />
                  <span class="bar-own" style={{ width: `${total === 0 ? 0 : (own / total) * 100}%` }} />
                </span>
                <span class="number">{text(own)}</span>
                <span class="number quiet">{all === own ? '' : text(all)}</span>
                <span class="quiet tree-task">{oneLine(rowText(row))}</span>
              </li>
            );
          })}
        </ol>
      </div>
    </>
  );
}
