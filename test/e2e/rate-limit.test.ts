import { afterAll, beforeAll, expect, it } from 'vitest';
import { forTask, withCode, type Reply } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

const PER_SECOND = 10;
const PROMPTS = 40;

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker({ concurrency: { modelsPerSecond: PER_SECOND } });
});
afterAll(() => world.close());

it('model calls of all workers together keep to the rate of their queue', { timeout: 60_000 }, async () => {
  const model = await world.startModel({
    scripts: [
      forTask('many at once', [withCode(`answers = llm_query_batched(["q"] * ${PROMPTS})\nFINAL(answers.count("a"))`)]),
      ({ messages }) => (messages.length === 1 ? 'a' : undefined),
    ],
  });
  const config = { rlm: { prompts_per_activity: 1 }, temporal: { queues: 'separate' } };
  const outcome = await world.run({ id: 'rate', prompt: 'many at once', model, config });
  expect(await world.answer(outcome)).toBe(PROMPTS);
  const times = model.calls.filter(({ task }) => task === 'q').map(({ at }) => at);
  expect(times).toHaveLength(PROMPTS);
  // What a second's allowance lets through at once at the beginning does not count.
  const seconds = (Math.max(...times) - Math.min(...times)) / 1000;
  expect(seconds).toBeGreaterThan((PROMPTS - 2 * PER_SECOND) / PER_SECOND - 0.5);
});

/** As 1,090 prompts behind 500 a minute, ten times smaller and quicker. */
const MANY = 109;
const PER_WINDOW = 50;
const WINDOW_MS = 6000;

/** What a provider with a fixed window says: an answer, or how long the window still lasts. */
function windowed(headers: (leftMs: number) => Record<string, string>): () => Reply {
  let [begunAt, answered] = [0, 0];
  return () => {
    const now = Date.now();
    if (now - begunAt >= WINDOW_MS) [begunAt, answered] = [now, 0];
    answered += 1;
    if (answered <= PER_WINDOW) return 'a';
    const body = { error: { message: 'Rate limit reached: too many requests per minute.' } };
    return { error: { status: 429, body, headers: headers(begunAt + WINDOW_MS - now) } };
  };
}

it.each<[string, (leftMs: number) => Record<string, string>]>([
  ['without hints', () => ({})],
  ['with hints far too short', () => ({ 'retry-after-ms': '120' })],
  ['with hints of nothing', () => ({ 'retry-after': '0' })],
  ['with hints that are right', (leftMs) => ({ 'retry-after-ms': String(leftMs) })],
])(
  `${MANY} prompts at a provider that answers ${PER_WINDOW} in ${WINDOW_MS / 1000} s all arrive: %s`,
  { timeout: 120_000 },
  async (name, headers) => {
    const answer = windowed(headers);
    const task = `many behind a limit ${name}`;
    const model = await world.startModel({
      scripts: [
        forTask(task, [withCode(`answers = llm_query_batched(["q"] * ${MANY})\nFINAL(answers.count("a"))`)]),
        ({ messages }) => (messages.length === 1 ? answer() : undefined),
      ],
    });
    const outcome = await world.run({ id: task.replaceAll(' ', '-'), prompt: task, model });
    expect(await world.answer(outcome)).toBe(MANY);
    expect(outcome.notes).toEqual([]);
    const refused = model.count(({ outcome: ended }) => ended === 'failed');
    // Without a common limit each prompt is refused again and again: some 400 times.
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(2 * MANY);
    await model.close();
  },
);

it('calls of agents and prompts together are at most model.max_concurrency', { timeout: 60_000 }, async () => {
  const model = await world.startModel({
    latencyMs: 50,
    scripts: [
      forTask('few at once', [
        withCode('FINAL(rlm_query_batched([f"leaf {i}" for i in range(4)]) + llm_query_batched(["q"] * 20))'),
      ]),
      forTask('leaf', [withCode('FINAL(llm_query_batched(["q"] * 5).count("a"))')]),
      ({ messages }) => (messages.length === 1 ? 'a' : undefined),
    ],
  });
  const config = { model: { max_concurrency: 3 } };
  const outcome = await world.run({ id: 'few', prompt: 'few at once', model, config });
  expect(await world.answer(outcome)).toEqual(['5', '5', '5', '5', ...Array.from({ length: 20 }, () => 'a')]);
  expect(model.peak()).toBe(3);
  await model.close();
});
