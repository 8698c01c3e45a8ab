import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { resumeMessage, statusQuery, type RunState } from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import type { RlmWorker } from '../../src/worker.ts';
import { createWorld, type World } from './world.ts';
import { itLong } from '../sizes.ts';

const worlds: World[] = [];
afterAll(() => Promise.all(worlds.map((world) => world.close())));

/** What is done to its store is seen by all of a world. */
async function ownWorld(): Promise<{ world: World; worker: RlmWorker }> {
  const world = await createWorld();
  worlds.push(world);
  return { world, worker: await world.startWorker() };
}

const done = (expression: string): string => withCode(`FINAL(${expression})`);

/** The blob store of a world refuses every write, as a full disk does, until the returned function is called. */
function refuseWrites(world: World): () => void {
  const temporary = join(world.folder, 'state', 'blobs', 'temporary');
  renameSync(temporary, `${temporary}-aside`);
  writeFileSync(temporary, 'in the way');
  return () => {
    rmSync(temporary);
    renameSync(`${temporary}-aside`, temporary);
  };
}

/** The files of blobs whose text has this. */
function blobsWith(world: World, text: string): string[] {
  const objects = join(world.folder, 'state', 'blobs', 'objects');
  return readdirSync(objects, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file, 'utf8').includes(text));
}

describe.concurrent('a blob store that refuses to write', () => {
  it('for a moment: the reply is kept in hand, and nothing is asked again', async () => {
    const { world } = await ownWorld();
    let restore: (() => void) | undefined;
    const model = await world.startModel({
      scripts: forTask('short trouble', [
        withCode('x = 1'),
        () => {
          restore = refuseWrites(world);
          setTimeout(() => restore?.(), 1500);
          return withCode('x += 1');
        },
        done('x'),
      ]),
    });
    const outcome = await world.run({ id: 'short', prompt: 'short trouble', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: '2' });
    expect(model.count()).toBe(3);
    await model.close();
  });

  itLong(
    'for long: the run pauses and says why; resumed, it continues',
    async () => {
      const { world } = await ownWorld();
      let restore: (() => void) | undefined;
      const model = await world.startModel({
        scripts: forTask('long trouble', [
          withCode('x = 1'),
          () => {
            restore ??= refuseWrites(world);
            return withCode('x += 1');
          },
          done('x'),
        ]),
      });
      const handle = await world.start({ id: 'long', prompt: 'long trouble', model });
      const state = await vi.waitFor(
        async () => {
          const now = await handle.query<RunState>(statusQuery);
          expect(now.status).toBe('paused');
          return now;
        },
        { timeout: 60_000, interval: 200 },
      );
      expect(state.reason).toMatch(/agent 0: the blob store at .* failed .*check the disk/);
      restore?.();
      await handle.signal(resumeMessage);
      expect(await handle.result()).toMatchObject({ status: 'completed', answer: '2' });
      // The reply that could not be kept was asked for again, and no other.
      expect(model.count()).toBe(4);
      await model.close();
    },
    90_000,
  );
});

describe.concurrent('a blob that is damaged', () => {
  it('is named, and its agent ends with what can still be read', async () => {
    const { world, worker } = await ownWorld();
    const model = await world.startModel({
      scripts: forTask('bit rot', [
        withCode('print("the first finding")'),
        withCode('print("the second finding")'),
        { hang: true },
      ]),
    });
    const handle = await world.start({ id: 'rot', prompt: 'bit rot', model });
    await model.when(({ turn }) => turn === 2, 30_000);
    // What a worker has read it keeps in memory: another one must read again.
    await worker.shutdown();
    const [file] = blobsWith(world, '"text":"```python\\nprint(\\"the first');
    writeFileSync(file ?? '', 'rotten');
    await world.startWorker();
    const outcome = (await handle.result()) as RunOutcome;
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Storage\.Damaged: blob .* is damaged: the bytes of .* do not have its hash/),
      answer: expect.stringContaining('the second finding'),
    });
    await model.close({ check: false });
  }, 60_000);
});
