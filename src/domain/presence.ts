/**
 * When a worker was up, as it records it itself. What lies between two spans of all workers of a task queue is time in
 * which no run could go on.
 */
export interface PresenceRecord {
  /** Milliseconds between two looks at the clock. */
  readonly interval_ms: number;
  /** Milliseconds since the epoch; in order, apart from each other. */
  readonly spans: readonly Span[];
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Gaps up to so many intervals are none: a busy worker looks at the clock late. */
const MAX_INTERVALS_LATE = 3;

/** The record of a worker that looks at the clock: it was up since it last did, unless its machine slept. */
export function seen(record: PresenceRecord, now: number): PresenceRecord {
  const { interval_ms, spans } = record;
  const last = spans.at(-1);
  const isUp = last !== undefined && now >= last.from && now - last.to <= MAX_INTERVALS_LATE * interval_ms;
  return {
    ...record,
    spans: isUp ? [...spans.slice(0, -1), { ...last, to: now }] : [...spans, { from: now, to: now }],
  };
}

/** Milliseconds of `during` in which none of the workers was up. */
export function absence(records: readonly PresenceRecord[], during: readonly Span[]): number {
  const spans = records
    .flatMap(({ interval_ms, spans: own }) => own.map(({ from, to }) => ({ from, to, patience: interval_ms })))
    .toSorted((a, b) => a.from - b.from);
  const maxLate = MAX_INTERVALS_LATE * Math.max(0, ...spans.map(({ patience }) => patience));
  let total = 0;
  for (const { from: begin, to: end } of during) {
    let upTo = begin;
    for (const { from, to } of [...spans, { from: end, to: end }]) {
      const gap = Math.min(from, end) - upTo;
      if (gap > maxLate) total += gap;
      upTo = Math.max(upTo, to);
    }
  }
  return total;
}
