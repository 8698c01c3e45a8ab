import type { AgentTime } from '../src/viewer/model.ts';

/** Places times along a line from 0 to 1, with the times in which nothing happened made short. */
export interface TimeScale {
  place(seconds: number): number;
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
