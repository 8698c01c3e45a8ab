import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TypedError } from '../../src/domain/failures.ts';
import { createModelLimits, type ModelLimit } from '../../src/llm/concurrency.ts';

const signal = new AbortController().signal;
const limited = (retryAfterMs?: number): TypedError =>
  new TypedError('Model.RateLimited', 'slow down', { retryAfterMs });

/** Calls that are answered or refused when the test says so. */
function calls(limit: ModelLimit, max?: number) {
  const open: { answer: () => void; refuse: (error: TypedError) => void }[] = [];
  const outcomes: string[] = [];
  let begun = 0;
  return {
    outcomes,
    get begun() {
      return begun;
    },
    get open() {
      return open.length;
    },
    start(count: number, from: AbortSignal = signal) {
      for (let index = 0; index < count; index += 1) {
        const call = (): Promise<string> => {
          begun += 1;
          const { promise, resolve, reject } = Promise.withResolvers<string>();
          open.push({ answer: () => resolve('answered'), refuse: reject });
          return promise;
        };
        void limit.run(call, { max, signal: from }).then(
          (outcome) => outcomes.push(outcome),
          (error: unknown) => outcomes.push(error instanceof TypedError ? error.type : 'aborted'),
        );
      }
    },
    async answer(count: number) {
      for (const call of open.splice(0, count)) call.answer();
      await settle();
    },
    async refuse(count: number, retryAfterMs?: number) {
      for (const call of open.splice(0, count)) call.refuse(limited(retryAfterMs));
      await settle();
    },
  };
}

/** Whatever may begin at this moment has begun. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  for (let turn = 0; turn < 600; turn += 1) await new Promise(setImmediate);
}

describe('calls to one model', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    vi.spyOn(Math, 'random').mockReturnValue(0);
    // A process that is too busy lets no more calls in: how fast this machine is, is not what these tests are about.
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 1, active: 0, utilization: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('are at most max_concurrency, in the order they were asked', async () => {
    const limits = createModelLimits();
    const asked = calls(limits.of('m'), 3);
    asked.start(10);
    await settle();
    expect([asked.begun, limits.taken, limits.waiting]).toEqual([3, 3, 7]);
    await asked.answer(2);
    expect([asked.begun, limits.taken, limits.waiting]).toEqual([5, 3, 5]);
  });

  it('are at most as many over all models as the worker may make', async () => {
    const limits = createModelLimits(4);
    const [a, b] = [calls(limits.of('a')), calls(limits.of('b'))];
    a.start(3);
    b.start(3);
    await settle();
    expect([a.begun, b.begun]).toEqual([3, 1]);
    await a.answer(2);
    expect([a.begun, b.begun]).toEqual([3, 3]);
  });

  it('become half as many with a refusal, and wait a while, longer each time', async () => {
    const limits = createModelLimits();
    const asked = calls(limits.of('m'));
    asked.start(500);
    await settle();
    const first = asked.begun;
    await asked.refuse(first);
    expect(asked.begun).toBe(first);
    await vi.advanceTimersByTimeAsync(249);
    await settle();
    expect(asked.begun).toBe(first);
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    const second = asked.begun - first;
    expect(second).toBe(first / 2);
    await asked.refuse(second);
    await vi.advanceTimersByTimeAsync(250);
    await settle();
    expect(asked.begun).toBe(first + second);
    await vi.advanceTimersByTimeAsync(250);
    await settle();
    expect(asked.begun).toBe(first + second + second / 2);
  });

  it('wait as long as the provider asks for, at least', async () => {
    const limits = createModelLimits();
    const asked = calls(limits.of('m'), 1);
    asked.start(3);
    await settle();
    await asked.refuse(1, 3000);
    await vi.advanceTimersByTimeAsync(2999);
    await settle();
    expect(asked.begun).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    expect(asked.begun).toBe(2);
    // A hint is the least, never all: nothing to wait for is asked for.
    await asked.refuse(1, 0);
    await vi.advanceTimersByTimeAsync(499);
    await settle();
    expect(asked.begun).toBe(2);
  });

  it('grow again when they are answered', async () => {
    const limits = createModelLimits();
    const limit = limits.of('m');
    const asked = calls(limit);
    asked.start(2000);
    await settle();
    await asked.refuse(asked.open);
    await vi.advanceTimersByTimeAsync(1000);
    await settle();
    const low = asked.open;
    for (let round = 0; round < 5; round += 1) await asked.answer(asked.open);
    expect(asked.open).toBeGreaterThan(low);
    expect(limit.answeredAt).toBe(Date.now());
  });

  it('of another model or key are not held up', async () => {
    const limits = createModelLimits();
    const [a, b] = [calls(limits.of('a')), calls(limits.of('b'))];
    a.start(1);
    await settle();
    await a.refuse(1, 60_000);
    a.start(1);
    b.start(1);
    await settle();
    expect([a.begun, b.begun]).toEqual([1, 1]);
  });

  it('that are cancelled while they wait do not begin', async () => {
    const limits = createModelLimits();
    const asked = calls(limits.of('m'), 1);
    const caller = new AbortController();
    asked.start(1);
    asked.start(1, caller.signal);
    asked.start(1);
    await settle();
    caller.abort(new Error('cancelled'));
    await settle();
    expect(asked.outcomes).toEqual(['aborted']);
    await asked.answer(1);
    expect([asked.begun, limits.waiting]).toEqual([2, 0]);
    asked.start(1, caller.signal);
    await settle();
    expect(asked.outcomes).toEqual(['aborted', 'answered', 'aborted']);
  });
});
