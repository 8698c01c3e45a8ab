import { afterAll, describe, expect, it, vi } from 'vitest';
import { resumeMessage, statusQuery, type RunState } from '../../src/domain/messages.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';
import { itLong } from '../sizes.ts';

/** Workers of one task queue, of which some have no key of the provider. */
vi.setConfig({ testTimeout: 90_000 });
const worlds: World[] = [];
afterAll(() => Promise.all(worlds.map((world) => world.close())));

async function ownWorld(): Promise<World> {
  const world = await createWorld('local');
  worlds.push(world);
  return world;
}

const environment = { ...process.env, LLM_API_KEY: '' };
// The model is asked on a queue of its own, that both workers poll.
const config = { model: { api_key_env: 'LLM_API_KEY' }, temporal: { queues: 'separate' } };
const scripts = [
  forTask('work', [
    withCode('a = llm_query_batched(["q"] * 30)'),
    withCode('b = llm_query("q")'),
    withCode('FINAL(a.count("a") + (b == "a"))'),
  ]),
  ({ messages }: { readonly messages: readonly unknown[] }) => (messages.length === 1 ? 'a' : undefined),
];

describe.concurrent('a worker without the key', () => {
  itLong('costs a run no more than a moment where another has it', async () => {
    const world = await ownWorld();
    await world.startWorker({ host: 'keyless', environment, queues: ['models'] });
    await world.startWorker();
    const model = await world.startModel({ scripts });
    // Of a call that may be tried twice: attempts of a worker that has no key are none.
    const outcome = await world.run({
      id: 'beside',
      prompt: 'work',
      model,
      config: { ...config, model: { ...config.model, max_attempts: 2 } },
    });
    expect(outcome).toMatchObject({ status: 'completed', answer: '31', notes: [] });
    expect(model.count(({ task }) => task === 'q')).toBe(31);
  });

  it('and no other pauses the run within seconds, with the hosts that were asked', async () => {
    const world = await ownWorld();
    await world.startWorker({ host: 'left', environment });
    await world.startWorker({ host: 'right', environment, queues: ['models'] });
    const model = await world.startModel({
      scripts: [
        forTask('ask once', [withCode('FINAL(llm_query("q"))')]),
        ({ messages }) => (messages.length === 1 ? 'a' : undefined),
      ],
    });
    const startedAt = Date.now();
    const handle = await world.start({ id: 'nowhere', prompt: 'ask once', model, config });
    const state = await vi.waitFor(
      async () => {
        const now = await handle.query<RunState>(statusQuery);
        expect(now.status).toBe('paused');
        return now;
      },
      { timeout: 40_000, interval: 200 },
    );
    expect(Date.now() - startedAt).toBeLessThan(35_000);
    expect(state.reason).toMatch(/No key for openai\/scripted on .*: set LLM_API_KEY/);
    expect(state.reason).toMatch(/were asked: (left, right|right, left)\./);
    expect(model.count()).toBe(0);
    // A worker with the key comes, and a person resumes.
    await world.startWorker({ queues: ['models'] });
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed', answer: 'a' });
  });
});
