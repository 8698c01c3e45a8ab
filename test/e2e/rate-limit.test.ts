import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forTask, withCode } from '../../src/testing/index.ts';
import { itLong, sized } from '../sizes.ts';
import { HINTS, limitedProvider } from './limited-provider.ts';
import { createWorld, type World } from './world.ts';

const PER_SECOND = 10;
const PROMPTS = 40;

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker({ concurrency: { modelsPerSecond: PER_SECOND } });
});
afterAll(() => world.close());

itLong(
  'model calls of all workers together keep to the rate of their queue',
  async () => {
    const model = await world.startModel({
      scripts: [
        forTask('many at once', [
          withCode(`answers = llm_query_batched(["q"] * ${PROMPTS})\nFINAL(answers.count("a"))`),
        ]),
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
  },
  60_000,
);

/** As 1,090 prompts behind 500 a minute, ten times smaller and thirty times quicker; at full scale: test/chaos/rate-limit.ts. */
const MANY = 109;
const WINDOW = { requests: 50, ms: 2000 };

describe.concurrent(`${MANY} prompts at a provider that answers ${WINDOW.requests} in ${WINDOW.ms / 1000} s all arrive`, () => {
  it.each(sized(Object.entries(HINTS).slice(0, 1), Object.entries(HINTS)))(
    '%s',
    { timeout: 60_000 },
    async (name, hint) => {
      const provider = limitedProvider(WINDOW, hint);
      const task = `many behind a limit ${name}`;
      const model = await world.startModel({
        scripts: [
          forTask(task, [withCode(`answers = llm_query_batched(["q"] * ${MANY})\nFINAL(answers.count("a"))`)]),
          ({ messages }) => (messages.length === 1 ? provider('a') : undefined),
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
});

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
