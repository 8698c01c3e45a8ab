import { afterAll, beforeAll, expect, it } from 'vitest';
import { forTask, withCode } from '../../src/testing/index.ts';
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
