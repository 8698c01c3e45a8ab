import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import type { RlmWorker } from '../../src/worker.ts';
import { createWorld, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld('local');
}, 300_000);

afterAll(async () => {
  // What a host that is gone leaves is its own to sweep: here nobody would.
  const provider = createLocalProvider({
    stateDirectory: join(world.folder, 'alpha'),
    cacheDirectory: join(world.folder, 'cache'),
    host: 'alpha',
  });
  for (const { handle } of await provider.list()) await provider.destroy(handle);
  await provider.close();
  await world.close();
});

/** A worker as on a host of its own: another name, other folders; it has the store and the server in common. */
async function startHost(host: string, model: ScriptedModel): Promise<RlmWorker> {
  const stateDirectory = join(world.folder, host);
  mkdirSync(stateDirectory, { recursive: true });
  const allow = { endpoints: [{ base_url: model.url }], folders: [world.folder] };
  return world.startWorker({ host, stateDirectory, hostPatience: 1000, config: { worker: { allow } } });
}

it('a run goes on at another host when the one of its sandboxes is gone: with the same variables, nothing asked twice', async () => {
  let left!: () => void;
  const gone = new Promise<void>((resolve) => (left = resolve));
  const model = await world.startModel({
    scripts: [
      forTask('wander', [
        withCode('found = ["before"]\nopen("notes.txt", "w").write("kept")'),
        withCode('said = llm_query("now")\nfound.append(said)'),
        withCode('FINAL(found + [open("notes.txt").read()])'),
      ]),
      async ({ messages }) => {
        if (messages.length !== 1) return undefined;
        await gone;
        return 'after';
      },
    ],
  });
  const alpha = await startHost('alpha', model);
  const handle = await world.start({ id: 'wander', prompt: 'wander', model });
  await model.when(({ task }) => task === 'now', 30_000);
  const ended = alpha.shutdown();
  await startHost('beta', model);
  left();
  await ended;
  const outcome = (await handle.result()) as RunOutcome;
  expect(await world.answer(outcome)).toEqual(['before', 'after', 'kept']);
  expect(outcome).toMatchObject({ status: 'completed', sandboxes: 2 });
  const [root] = await world.agents('wander');
  expect(root?.sandbox).toContain('-g1');
  // The call in flight when its worker ended may have been made again; no other.
  expect(model.paidTwice().length).toBeLessThanOrEqual(1);
  await model.close();
}, 120_000);
