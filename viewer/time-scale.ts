import type { AgentTime } from '../src/viewer/model.ts';

/** Places times along a line from 0 to 1, with the times in which nothing happened made short. */
export interface TimeScale {
  place(seconds: number): number;
  /** Seconds at which the line ends. */
  readonly end: number;
  /** The idle times that were made short. */
  readonly gaps: readonly { readonly start: number; readonly end: number }[];
}

/** Part of the line that an idle time takes, however long it was; shorter ones stay as they are. */
const GAP_SHARE = 0.02;

export function timeScale(timeline: readonly AgentTime[], compress: boolean): TimeScale {
  const end = Math.max(0.001, ...timeline.map((each) => each.end));
  const gaps = compress ? idleTimes(timeline, end).filter((gap) => gap.end - gap.start > end * GAP_SHARE * 2) : [];
  const idle = gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  const shown = end - idle;
  const short = gaps.length === 0 ? 0 : shown * GAP_SHARE;
  const total = shown + short * gaps.length;
  return {
    gaps,
    end,
    place(seconds) {
      let at = seconds;
      for (const gap of gaps) {
        if (seconds >= gap.end) at -= gap.end - gap.start - short;
        else if (seconds > gap.start) at -= (seconds - gap.start) * (1 - short / (gap.end - gap.start));
      }
      return Math.min(1, Math.max(0, at / total));
    },
  };
}

/** Seconds between ticks that are easily read: parts and multiples of a second, a minute and an hour. */
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  14_400, 28_800, 86_400,
];

/**
 * Times that are named on the axis, in seconds. The beginning, the end, and where something happens again after a time
 * that was made short come before round times.
 *
 * @param distance least part of the line between two of them
 */
export function timeTicks(scale: TimeScale, distance: number): readonly number[] {
  const ticks: number[] = [];
  const add = (seconds: number): void => {
    const isNear = ticks.some((other) => Math.abs(scale.place(other) - scale.place(seconds)) < distance);
    if (!isNear) ticks.push(seconds);
  };
  for (const seconds of [0, scale.end, ...scale.gaps.map((gap) => gap.end)]) add(seconds);
  const busy = scale.end - scale.gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  const least = busy * (1 + GAP_SHARE * scale.gaps.length) * distance;
  const step = STEPS.find((each) => each >= least) ?? least;
  // Only what is shown in full is gone through: a gap may be as long as a night.
  const starts = [0, ...scale.gaps.map((gap) => gap.end)];
  const ends = [...scale.gaps.map((gap) => gap.start), scale.end];
  for (const [index, start] of starts.entries())
    for (let round = Math.ceil(start / step); round * step <= (ends[index] ?? 0); round += 1) add(round * step);
  return ticks.toSorted((a, b) => a - b);
}

/** When no agent asked a model or ran code, and some waited or none was there. */
function idleTimes(timeline: readonly AgentTime[], end: number): { start: number; end: number }[] {
  const busy = timeline
    .flatMap(({ parts }) => parts.filter(({ kind }) => kind === 'model' || kind === 'code'))
    .toSorted((a, b) => a.start - b.start);
  const idle: { start: number; end: number }[] = [];
  let at = 0;
  for (const part of busy) {
    if (part.start > at) idle.push({ start: at, end: part.start });
    at = Math.max(at, part.end);
  }
  if (at < end) idle.push({ start: at, end });
  return idle;
}
