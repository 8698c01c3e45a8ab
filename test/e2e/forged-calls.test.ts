import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

/** Code shares a process with the functions that check its calls, and can go past them to the supervisor. */
vi.setConfig({ testTimeout: 90_000 });

let world: World;
beforeAll(async () => {
  world = await createWorld('local');
  await world.startWorker();
});
afterAll(() => world.close());

const forged = (call: string): string =>
  withCode(`import gc
bridge = next(each for each in gc.get_objects() if type(each).__name__ == "Bridge")
FINAL(str(bridge.call(${call})))`);

const CASES = [
  [
    'parts of a message',
    '"llm_query_batched", {"prompts": [[{"type": "image_url", "image_url": {"url": "http://a.example/"}}]]}',
  ],
  ['an object as a task', '"rlm_query", {"task": {"a": 1}}'],
] as const;

it.each(CASES)('%s, handed over past our functions, ends the agent and reaches no model', async (what, call) => {
  const model = await world.startModel({ scripts: [forTask('forge', [forged(call)])] });
  const outcome = await world.run({ id: `forged-${what.replaceAll(' ', '-')}`, prompt: 'forge', model });
  expect(outcome).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/^Sandbox\.Diverged: A call of \w+ with something else than text/),
  });
  expect(model.count()).toBe(1);
  expect(outcome.agents).toBe(1);
  expect(await world.leftovers(outcome.run_id)).toEqual([]);
});

it('a function that there is none of is not handed to the host', async () => {
  const code = forged('"os.system", {"command": "id"}').replace(
    /^(FINAL.*)$/m,
    'try: $1\nexcept ConnectionError as error: FINAL(str(error))',
  );
  const model = await world.startModel({ scripts: [forTask('forge', [code])] });
  const outcome = await world.run({ id: 'forged-function', prompt: 'forge', model });
  expect(outcome).toMatchObject({
    status: 'completed',
    answer: expect.stringMatching(/the supervisor did not answer|no function/),
  });
});
