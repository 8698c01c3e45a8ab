import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { AgentTime, RunView, Statistics, TimePart } from '../src/viewer/model.ts';
import { plural, seconds } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { AgentState, Show } from './parts.tsx';
import { agentLink } from './route.ts';
import { timeScale, type TimeScale } from './time-scale.ts';
import { useRows } from './virtual.ts';

const ROW_HEIGHT = 26;
const KINDS: readonly (readonly [TimePart['kind'], string])[] = [
  ['model', 'asking the model'],
  ['code', 'running code'],
  ['waiting', 'waiting for sub-agents'],
  ['other', 'other: starting, queues, llm_query'],
];

export function TimelineTab({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const loaded = useLoaded(() => data.statistics(view.run), [view.run, view.totals.done]);
  return (
    <div class="wide">
      <h2>Who ran when</h2>
      <Show of={loaded} what="the timeline">
        {(statistics) =>
          statistics.timeline.length === 0 ? (
            <p class="quiet">When its agents ran is not known here.</p>
          ) : (
            <Timeline view={view} statistics={statistics} />
          )
        }
      </Show>
    </div>
  );
}

function Timeline({
  view,
  statistics,
}: {
  readonly view: RunView;
  readonly statistics: Statistics;
}): ComponentChildren {
  const [compress, setCompress] = useState(true);
  const [onlyCritical, setOnlyCritical] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const critical = useMemo(() => new Set(statistics.critical_path), [statistics]);
  const scale = useMemo(() => timeScale(statistics.timeline, compress), [statistics, compress]);
  const lines = useMemo(
    () => (onlyCritical ? statistics.timeline.filter(({ id }) => critical.has(id)) : statistics.timeline),
    [statistics, onlyCritical],
  );
  const rows = useRows(scroller, { count: lines.length, height: ROW_HEIGHT });
  const end = Math.max(...statistics.timeline.map((each) => each.end));
  const states = useMemo(() => new Map(view.agents.map((row) => [row.id, row])), [view.agents]);
  return (
    <>
      <p>
        {seconds(end)} in all. Over all agents: {seconds(statistics.model_time)} of asking models,{' '}
        {seconds(statistics.code_time)} of running code. The end waited on {plural(critical.size, 'agent')} (▸).
      </p>
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={compress} onChange={(event) => setCompress(event.currentTarget.checked)} />
          Shorten idle times ({scale.gaps.length > 0 ? scale.gaps.length : 'none'})
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={onlyCritical}
            onChange={(event) => setOnlyCritical(event.currentTarget.checked)}
          />
          Only the critical path
        </label>
        <ul class="legend">
          {KINDS.map(([kind, name]) => (
            <li key={kind}>
              <span class={`swatch part-${kind}`} /> {name}
            </li>
          ))}
        </ul>
      </div>
      <div ref={scroller} class="timeline" role="region" aria-label="Timeline of agents" tabIndex={0}>
        <ol class="rows" style={{ height: `${rows.getTotalSize()}px` }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const line = lines[index];
            const row = line === undefined ? undefined : states.get(line.id);
            if (line === undefined) return null;
            return (
              <li key={line.id} class="time-row" style={{ transform: `translateY(${start}px)` }}>
                <a href={agentLink(view.run, line.id)} title={row?.task.slice(0, 200)}>
                  {row !== undefined && <AgentState row={row} />}{' '}
                  {critical.has(line.id) && <span title="on the critical path">▸</span>}
                  {line.id}
                </a>
                <TimeLine line={line} scale={scale} />
              </li>
            );
          })}
        </ol>
      </div>
      <p class="quiet">Starts and ends are recorded. What lies between is put together from how long each step took.</p>
    </>
  );
}

/** Units along a line: whole numbers keep the paths short. */
const UNITS = 20_000;
const LINE_HEIGHT = 10;

/** One path for each kind: an agent of many iterations is then as quick to draw as one of two. */
function TimeLine({ line, scale }: { readonly line: AgentTime; readonly scale: TimeScale }): ComponentChildren {
  const path = (spans: readonly { readonly start: number; readonly end: number }[]): string =>
    spans
      .map(({ start, end }) => {
        const from = Math.round(scale.place(start) * UNITS);
        // What is too short to be seen is drawn as wide as what can be.
        const width = Math.max(20, Math.round(scale.place(end) * UNITS) - from);
        return `M${from} 0h${width}v${LINE_HEIGHT}h${-width}z`;
      })
      .join('');
  const ofKind = (kind: TimePart['kind']): readonly TimePart[] => line.parts.filter((part) => part.kind === kind);
  const sum = (kind: TimePart['kind']): string =>
    seconds(ofKind(kind).reduce((total, part) => total + part.end - part.start, 0));
  const text = `from ${seconds(line.start)} to ${seconds(line.end)}: ${KINDS.map(([kind, name]) => `${sum(kind)} ${name}`).join(', ')}`;
  return (
    <span class="time-line" title={text}>
      <span class="unseen">{text}</span>
      <svg class="parts" viewBox={`0 0 ${UNITS} ${LINE_HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="time-span" d={path([line])} />
        {KINDS.map(([kind]) => (
          <path key={kind} class={`part-${kind}`} d={path(ofKind(kind))} />
        ))}
        <path class="time-gap" d={path(scale.gaps)} />
      </svg>
    </span>
  );
}
