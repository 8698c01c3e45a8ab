import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { AgentTime, RunView, Statistics, TimePart } from '../src/viewer/model.ts';
import { plural, seconds } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { AgentState, Show } from './parts.tsx';
import { agentLink } from './route.ts';
import { timeScale, timeTicks, type TimeScale } from './time-scale.ts';
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
  const width = useWidth(scroller);
  const ticks = useMemo(() => timeTicks(scale, TICK_WIDTH / Math.max(width, TICK_WIDTH)), [scale, width]);
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
          {scale.gaps.length > 0 && (
            <li>
              <span class="swatch time-gap" /> idle, shortened
            </li>
          )}
        </ul>
      </div>
      <div ref={scroller} class="timeline" role="region" aria-label="Timeline of agents" tabIndex={0}>
        <Axis ticks={ticks} scale={scale} />
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
        <Grid ticks={ticks} scale={scale} height={rows.getTotalSize()} />
      </div>
      <p class="quiet">Starts and ends are recorded. What lies between is put together from how long each step took.</p>
    </>
  );
}

/** Pixels that the label of a tick needs at least. */
const TICK_WIDTH = 76;

/** How wide the lines of an element's rows are, in pixels; follows the window. */
function useWidth(scroller: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => setWidth(scroller.current?.querySelector('.axis-line')?.clientWidth ?? 0);
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  }, []);
  return width;
}

interface AxisProps {
  readonly ticks: readonly number[];
  readonly scale: TimeScale;
}

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;

/** Stays in sight above the rows. Each row says its times as text, so those who listen to the page need no axis. */
function Axis({ ticks, scale }: AxisProps): ComponentChildren {
  return (
    <div class="axis" aria-hidden="true">
      <span class="axis-line">
        {ticks.map((tick) => {
          const place = scale.place(tick);
          const side = place < 0.02 ? 'first' : place > 0.98 ? 'last' : 'middle';
          return (
            <span key={tick} class={`tick tick-${side}`} style={{ left: percent(place) }}>
              {tick === 0 ? '0' : seconds(tick)}
            </span>
          );
        })}
      </span>
    </div>
  );
}

/** Over all rows: where the ticks are, and the times that were made short. */
function Grid({ ticks, scale, height }: AxisProps & { readonly height: number }): ComponentChildren {
  return (
    <div class="time-grid" style={{ height: `${height}px` }} aria-hidden="true">
      {ticks.map((tick) => (
        <span key={tick} class="grid-line" style={{ left: percent(scale.place(tick)) }} />
      ))}
      {scale.gaps.map(({ start, end }) => (
        <span
          key={start}
          class="time-gap"
          title={`${seconds(end - start)} in which nothing happened`}
          style={{ left: percent(scale.place(start)), width: percent(scale.place(end) - scale.place(start)) }}
        />
      ))}
    </div>
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
      </svg>
    </span>
  );
}
