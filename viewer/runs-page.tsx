import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { RunSummary } from '../src/viewer/model.ts';
import { count, dollars, oneLine, plural, seconds, STATUS_WORDS, time } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { Show, Status } from './parts.tsx';
import { compareLink, runLink } from './route.ts';

/** Milliseconds between looks at the list, while it is in sight. */
const LOOK_AGAIN_MS = 5000;

type Order = 'started' | 'cost' | 'time' | 'agents';
const ORDERS: Readonly<Record<Order, (run: RunSummary) => number>> = {
  started: (run) => run.started_at ?? 0,
  cost: (run) => run.usage.cost,
  time: (run) => run.execution_time,
  agents: (run) => run.agents,
};

export function RunsPage(): ComponentChildren {
  const data = useData();
  const loaded = useLoaded(() => data.runs(), []);
  const [filter, setFilter] = useState('');
  const [status, setStatus] = useState('');
  const [schedule, setSchedule] = useState('');
  const [order, setOrder] = useState<Order>('started');
  const [chosen, setChosen] = useState<readonly string[]>([]);
  useEffect(() => {
    document.title = 'Runs';
    if (data.only !== undefined) location.replace(runLink(data.only));
    const timer = setInterval(() => !document.hidden && data.isLive && loaded.again(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="wide">
      <h1>Runs</h1>
      <Show of={loaded} what="the runs">
        {({ runs, total, problems }) => (
          <>
            {total === 0 ? (
              <p>There are no runs yet. Start one with rlm run or rlm analyze, or see an example with rlm demo.</p>
            ) : (
              <>
                <div class="filters">
                  <label>
                    Filter
                    <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
                  </label>
                  <label>
                    Status
                    <select value={status} onChange={(event) => setStatus(event.currentTarget.value)}>
                      <option value="">all</option>
                      {[...new Set(runs.map((run) => run.status))].map((each) => (
                        <option key={each} value={each}>
                          {STATUS_WORDS[each]}
                        </option>
                      ))}
                    </select>
                  </label>
                  {schedulesOf(runs).length > 0 && (
                    <label>
                      Schedule
                      <select value={schedule} onChange={(event) => setSchedule(event.currentTarget.value)}>
                        <option value="">all</option>
                        {schedulesOf(runs).map((each) => (
                          <option key={each} value={each}>
                            {each}
                          </option>
                        ))}
                      </select>
                    </label>
                  )}
                  <label>
                    Order
                    <select value={order} onChange={(event) => setOrder(event.currentTarget.value as Order)}>
                      <option value="started">newest first</option>
                      <option value="cost">costliest first</option>
                      <option value="time">longest first</option>
                      <option value="agents">most agents first</option>
                    </select>
                  </label>
                  {chosen.length === 2 ? (
                    <a class="button" href={compareLink(chosen[0] ?? '', chosen[1] ?? '')}>
                      Compare the two
                    </a>
                  ) : (
                    <span class="quiet">Choose two runs to compare them.</span>
                  )}
                </div>
                <RunTable runs={runs} {...{ filter, status, schedule, order, chosen, setChosen }} />
                {total > runs.length && (
                  <p class="quiet">
                    The newest {runs.length} of {plural(total, 'run')}.
                  </p>
                )}
              </>
            )}
            {problems.length > 0 && (
              <details>
                <summary>{plural(problems.length, 'file')} that cannot be shown</summary>
                <ul>
                  {problems.map((problem) => (
                    <li key={problem}>{problem}</li>
                  ))}
                </ul>
              </details>
            )}
          </>
        )}
      </Show>
    </div>
  );
}

function schedulesOf(runs: readonly RunSummary[]): readonly string[] {
  return [...new Set(runs.flatMap((run) => run.schedule ?? []))].toSorted();
}

interface RunTableProps {
  readonly runs: readonly RunSummary[];
  readonly filter: string;
  readonly status: string;
  readonly schedule: string;
  readonly order: Order;
  readonly chosen: readonly string[];
  readonly setChosen: (chosen: readonly string[]) => void;
}

function RunTable({ runs, filter, status, schedule, order, chosen, setChosen }: RunTableProps): ComponentChildren {
  const shown = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const key = ORDERS[order];
    return runs
      .filter((run) => status === '' || run.status === status)
      .filter((run) => schedule === '' || run.schedule === schedule)
      .filter((run) =>
        `${run.run} ${run.prompt} ${run.repository ?? ''} ${run.model ?? ''} ${run.schedule ?? ''}`
          .toLowerCase()
          .includes(wanted),
      )
      .toSorted((a, b) => key(b) - key(a));
  }, [runs, filter, status, schedule, order]);
  const choose = (run: string): void =>
    setChosen(chosen.includes(run) ? chosen.filter((each) => each !== run) : [...chosen.slice(-1), run]);
  if (shown.length === 0) return <p>No run matches.</p>;
  const isScheduled = schedulesOf(runs).length > 0;
  return (
    <div class="scroll-x" role="region" aria-label="Runs" tabIndex={0}>
      <table class="runs">
        <thead>
          <tr>
            <th>
              <span class="unseen">Compare</span>
            </th>
            <th>Status</th>
            <th>Run</th>
            <th class="number">Agents</th>
            <th class="number">Depth</th>
            <th class="number">Iterations</th>
            <th class="number">Tokens</th>
            <th class="number">Cost</th>
            <th class="number">Time</th>
            <th>Started</th>
            {isScheduled && <th>Schedule</th>}
          </tr>
        </thead>
        <tbody>
          {shown.map((run) => (
            <tr key={run.run}>
              <td>
                <input
                  type="checkbox"
                  aria-label={`Compare ${run.run}`}
                  checked={chosen.includes(run.run)}
                  onChange={() => choose(run.run)}
                />
              </td>
              <td>
                <Status status={run.status} />
              </td>
              <td class="run-cell">
                <a href={runLink(run.run)}>{run.run}</a>
                <span class="quiet task">{oneLine(run.prompt)}</span>
              </td>
              <td class="number">{run.agents}</td>
              <td class="number">{run.max_depth}</td>
              <td class="number">{run.iterations}</td>
              <td class="number">{count(run.usage.input_tokens + run.usage.output_tokens)}</td>
              <td class="number">{dollars(run.usage.cost)}</td>
              <td class="number">{seconds(run.execution_time)}</td>
              <td>{time(run.started_at)}</td>
              {isScheduled && <td>{run.schedule}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
