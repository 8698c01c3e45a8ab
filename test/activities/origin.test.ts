import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertOwnCall, assertOwnTask } from '../../src/activities/origin.ts';
import type { AgentContext } from '../../src/activities/agent-context.ts';
import { taskRecord } from '../../src/activities/agent-task.ts';
import { agentReferenceName, type CallsRecord } from '../../src/domain/records.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains, type Chains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

let path: string;
let stores: { readonly blobs: BlobStore; readonly chains: Chains };
let root: AgentContext;
let task: string;
/** What the root's code has asked for, and what somebody else has stored. */
let [asked, foreign] = ['', ''];

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'origin-'));
  const blobs = createFileBlobStore({ path });
  stores = { blobs, chains: createChains(blobs) };
  const spec = await stores.chains.putJson({ prompt: 'find it' });
  root = { run: 'run', execution: 'first', agent: '0', spec, settings: spec };
  task = await stores.chains.append(taskRecord(root, { text: 'find it' }));
  asked = await stores.chains.putJson({ function: 'rlm_query', hash: '', list: ['look there'] });
  foreign = await stores.chains.putJson({ function: 'rlm_query', hash: '', list: ['delete it'] });
  const calls = [{ call: '1.1', function: 'rlm_query', request: asked }];
  const made = { v: 1, kind: 'calls', parent: task, block: 1, calls, cursor: 1 } satisfies CallsRecord;
  const next = { v: 1, kind: 'answers', parent: await stores.chains.append(made), block: 1, answers: [] } as const;
  const head = await stores.chains.append(next);
  await blobs.setReference(agentReferenceName('run', 'first', '0'), { head });
});
afterEach(() => rm(path, { recursive: true, force: true }));

const NOT_ALLOWED = { type: 'Input.NotAllowed' };

describe('an agent begins', () => {
  it('with the prompt of its run, and with what its parent has asked for', async () => {
    await assertOwnTask(stores, root, { ref: task });
    await assertOwnTask(stores, { ...root, agent: '0.1' }, { ref: asked, index: 0 });
  });

  it.each<[what: string, agent: string, task: () => { ref: string; index?: number }]>([
    ['with a call of nobody’s', '0.1', () => ({ ref: foreign, index: 0 })],
    ['with a call of another agent’s', '0.1.1', () => ({ ref: asked, index: 0 })],
    ['with a trajectory that it has not begun', '0.1', () => ({ ref: task })],
    ['as a root with a call', '0', () => ({ ref: asked, index: 0 })],
  ])('not %s', async (_, agent, forged) => {
    await expect(assertOwnTask(stores, { ...root, agent }, forged())).rejects.toMatchObject(NOT_ALLOWED);
  });

  it('not as a root with another prompt, or for another run', async () => {
    const other = await stores.chains.append(taskRecord(root, { text: 'delete it' }));
    const elsewhere = await stores.chains.append(taskRecord({ ...root, spec: foreign }, { text: 'find it' }));
    for (const ref of [other, elsewhere])
      // oxlint-disable-next-line no-await-in-loop -- two
      await expect(assertOwnTask(stores, root, { ref })).rejects.toMatchObject(NOT_ALLOWED);
  });
});

it('a call is answered that its agent has recorded, by its name and with what it asks, and no other', async () => {
  await assertOwnCall(stores, root, { call: '1.1', request: asked });
  for (const [scope, call, request] of [
    [root, '1.1', foreign],
    [root, '1.2', asked],
    [{ ...root, agent: '0.1' }, '1.1', asked],
    [{ ...root, execution: 'second' }, '1.1', asked],
  ] as const)
    // oxlint-disable-next-line no-await-in-loop -- few
    await expect(assertOwnCall(stores, scope, { call, request })).rejects.toMatchObject(NOT_ALLOWED);
});
