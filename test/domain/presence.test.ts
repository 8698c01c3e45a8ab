import { describe, expect, it } from 'vitest';
import { absence, seen, type PresenceRecord } from '../../src/domain/presence.ts';

const EMPTY: PresenceRecord = { interval_ms: 5000, spans: [] };

/** A worker that looked at the clock at these seconds. */
const worker = (...seconds: number[]): PresenceRecord => seconds.reduce((record, at) => seen(record, at * 1000), EMPTY);
const during = (from: number, to: number) => [{ from: from * 1000, to: to * 1000 }];

describe('the presence of a worker', () => {
  it('is one span as long as it looks at the clock, and another after its machine slept', () => {
    expect(worker(0, 5, 10, 22).spans).toEqual([{ from: 0, to: 22_000 }]);
    expect(worker(0, 5, 1000, 1005).spans).toEqual([
      { from: 0, to: 5000 },
      { from: 1_000_000, to: 1_005_000 },
    ]);
  });

  it('does not go backwards with a clock that was set', () => {
    expect(worker(100, 105, 20).spans.at(-1)).toEqual({ from: 20_000, to: 20_000 });
  });
});

describe('time without a worker', () => {
  it.each([
    ['nobody was there', [], during(0, 100), 100],
    ['one was there all the time', [worker(0, 10, 20, 30)], during(5, 28), 0],
    ['a short gap is none: a worker was replaced', [worker(0, 5, 10), worker(20, 25, 30)], during(0, 30), 0],
    ['a night', [worker(0, 5, 10), worker(30_010, 30_015)], during(0, 30_015), 30_000],
    ['another worker was there meanwhile', [worker(0, 5), worker(5, 10, 20, 30, 40), worker(40, 45)], during(0, 45), 0],
    ['none came back', [worker(0, 5, 10)], during(0, 100), 90],
    ['it began before any', [worker(50, 55, 60)], during(0, 60), 50],
    ['only what lies in the time that is asked about', [worker(0, 5), worker(1000, 1005)], during(100, 200), 100],
    ['several stretches', [worker(0, 5), worker(1000, 1005)], [...during(0, 100), ...during(500, 600)], 195],
  ] as const)('%s', (_, records, spans, seconds) => {
    expect(absence(records, spans)).toBe(seconds * 1000);
  });
});
