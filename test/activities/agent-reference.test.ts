import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentContext } from '../../src/activities/agent-context.ts';
import {
  fence,
  openAgentReference,
  readAgentReference,
  updateAgentReference,
} from '../../src/activities/agent-reference.ts';
import { taskRecord } from '../../src/activities/agent-task.ts';
import { openTrajectory } from '../../src/activities/agent-trajectory.ts';
import { agentReferenceName, type AnswersRecord } from '../../src/domain/records.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains, type Chains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

const PROMPT = 'find the answer';
let scope: AgentContext;
const SUPERSEDED = { type: 'Agent.Superseded', message: 'Stale attempt: superseded by a newer one' };
const used = { input_tokens: 10, output_tokens: 1, cost: 0.5, llm_calls: 1 };

let path: string;
let stores: { readonly blobs: BlobStore; readonly chains: Chains };
let task: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'trajectory-'));
  stores = storesOf(createFileBlobStore({ path }));
  const spec = await stores.chains.putJson({ prompt: PROMPT });
  scope = { run: 'run', execution: 'first-execution', agent: '0', spec, settings: spec };
  task = await stores.chains.append(taskRecord(scope, { text: PROMPT }));
});
afterEach(() => rm(path, { recursive: true, force: true }));

function storesOf(blobs: BlobStore): { readonly blobs: BlobStore; readonly chains: Chains } {
  return { blobs, chains: createChains(blobs) };
}

interface Attempt {
  readonly execution?: string;
  readonly activity: number;
  readonly attempt?: number;
  /** When the server scheduled it. */
  readonly at: number;
}

/** Runs what an attempt of an activity of the agent does. */
function as<T>({ execution = 'a', activity, attempt = 1, at }: Attempt, act: () => Promise<T>): Promise<T> {
  const environment = new MockActivityEnvironment(
    {
      activityId: String(activity),
      attempt,
      workflowExecution: { workflowId: 'run/0', runId: execution },
      currentAttemptScheduledTimestampMs: at,
    },
    { logger: new DefaultLogger('ERROR') },
  );
  return environment.run(act);
}

const record = (parent: string, block: number): Promise<string> =>
  stores.chains.append({ v: 1, kind: 'answers', parent, block, answers: [] } satisfies AnswersRecord);
const current = async (): Promise<unknown> =>
  stores.blobs.getReference(agentReferenceName('run', scope.execution, '0'));

/** The same stores, as a process has them that is stopped before it swaps a reference. */
function stoppedBeforeSwap(): { readonly stopped: Promise<void>; readonly stores: typeof stores; go(): void } {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const blobs: BlobStore = {
    ...stores.blobs,
    async swapReference(...swap) {
      reached.resolve();
      await gate.promise;
      return stores.blobs.swapReference(...swap);
    },
  };
  return { stopped: reached.promise, stores: storesOf(blobs), go: gate.resolve };
}

describe('an agent reference', () => {
  it('begins with the task, and moves with each record', async () => {
    const first = await as({ activity: 1, at: 1 }, () => updateAgentReference(stores, scope, { head: task }));
    expect(first).toMatchObject({ head: task, task: 'find the answer', state: 'starting', iteration: 0, depth: 0 });
    const head = await record(task, 1);
    await as({ activity: 2, at: 2 }, () =>
      updateAgentReference(stores, scope, { head, state: 'running', iteration: 1 }, used),
    );
    expect(await current()).toMatchObject({
      head,
      state: 'running',
      iteration: 1,
      usage: used,
      writer: { execution: 'a', activity: 2, attempt: 1, scheduled_at: 2 },
    });
  });

  it('counts what a record cost once, also when the update is repeated', async () => {
    const head = await record(task, 1);
    const update = (): Promise<unknown> => updateAgentReference(stores, scope, { head, state: 'running' }, used);
    await as({ activity: 1, at: 1 }, async () => {
      await update();
      await update();
    });
    await as({ activity: 1, attempt: 2, at: 2 }, async () => {
      await fence(stores, scope, { ref: task });
      await update();
    });
    expect(await current()).toMatchObject({ head, usage: used });
  });

  it('is not moved by an attempt that outlived its agent', async () => {
    const end = await record(task, 1);
    await as({ activity: 1, at: 1 }, () =>
      updateAgentReference(stores, scope, { head: end, state: 'done', status: 'completed' }),
    );
    const done = await current();
    await expect(
      as({ activity: 2, at: 2 }, () => updateAgentReference(stores, scope, { head: task, state: 'running' })),
    ).rejects.toMatchObject({ type: 'Agent.Superseded', message: 'Stale attempt: its agent has ended' });
    await as({ activity: 2, attempt: 2, at: 3 }, () => fence(stores, scope, { ref: task }));
    expect(await current()).toEqual(done);
  });
});

describe('a stale attempt', () => {
  it('cannot move the reference once the next has claimed it; what it had recorded before, the next finds', async () => {
    const found = await record(task, 1);
    const tooLate = await record(found, 2);
    await as({ activity: 3, at: 1 }, () => updateAgentReference(stores, scope, { head: found }));
    await as({ activity: 3, attempt: 2, at: 2 }, async () => {
      await fence(stores, scope, { ref: task });
      expect((await readAgentReference(stores, scope))?.head).toBe(found);
    });
    await expect(
      as({ activity: 3, at: 1 }, () => updateAgentReference(stores, scope, { head: tooLate })),
    ).rejects.toMatchObject(SUPERSEDED);
    expect(await current()).toMatchObject({ head: found, writer: { attempt: 2 } });
  });

  it('cannot either when it was stopped between reading and writing', async () => {
    await as({ activity: 3, at: 1 }, () => updateAgentReference(stores, scope, { head: task }));
    const stale = stoppedBeforeSwap();
    const head = await record(task, 1);
    const moving = as({ activity: 3, at: 1 }, () => updateAgentReference(stale.stores, scope, { head }, used));
    await stale.stopped;
    await as({ activity: 3, attempt: 2, at: 2 }, () => fence(stores, scope, { ref: task }));
    stale.go();
    await expect(moving).rejects.toMatchObject(SUPERSEDED);
    expect(await current()).toMatchObject({ head: task, writer: { attempt: 2 } });
  });

  it('cannot begin the reference that the next has claimed before it existed', async () => {
    const stale = stoppedBeforeSwap();
    const head = await record(task, 1);
    const moving = as({ activity: 1, at: 1 }, () => updateAgentReference(stale.stores, scope, { head }));
    await stale.stopped;
    await as({ activity: 1, attempt: 2, at: 2 }, () => fence(stores, scope, { ref: task }));
    stale.go();
    await expect(moving).rejects.toMatchObject(SUPERSEDED);
    expect(await current()).toMatchObject({ head: task, state: 'starting', writer: { attempt: 2 } });
  });

  it('appends nothing more once the next has opened the trajectory', async () => {
    const steer = { kind: 'steer', id: 'm', iteration: 1, message: 'go on' } as const;
    await as({ activity: 3, at: 1 }, async () => {
      const stale = await openTrajectory(stores, scope, { ref: task });
      await stale.show({ state: 'running' });
      await as({ activity: 3, attempt: 2, at: 2 }, () => openTrajectory(stores, scope, { ref: task }));
      await expect(stale.append<'steer'>(steer)).rejects.toMatchObject(SUPERSEDED);
    });
    expect(await current()).toMatchObject({ head: task, writer: { attempt: 2 } });
  });

  it('cannot claim it back, nor can an attempt of an activity before', async () => {
    await as({ activity: 3, attempt: 3, at: 3 }, () => fence(stores, scope, { ref: task }));
    for (const stale of [
      { activity: 3, attempt: 2, at: 2 },
      { activity: 2, attempt: 9, at: 1 },
    ])
      await expect(as(stale, () => fence(stores, scope, { ref: task }))).rejects.toMatchObject(SUPERSEDED);
    await as({ activity: 4, at: 4 }, () => updateAgentReference(stores, scope, { head: task, iteration: 2 }));
    expect(await current()).toMatchObject({ iteration: 2, writer: { activity: 4 } });
  });

  it('is found by the claim where it was faster: the claim keeps what it wrote', async () => {
    await as({ activity: 3, at: 1 }, () => updateAgentReference(stores, scope, { head: task }));
    const claimer = stoppedBeforeSwap();
    const claiming = as({ activity: 3, attempt: 2, at: 2 }, () => fence(claimer.stores, scope, { ref: task }));
    await claimer.stopped;
    const head = await record(task, 1);
    await as({ activity: 3, at: 1 }, () => updateAgentReference(stores, scope, { head }, used));
    claimer.go();
    await claiming;
    expect(await current()).toMatchObject({ head, usage: used, writer: { attempt: 2 } });
  });
});

describe('two executions of an agent (its workflow was reset)', () => {
  it('follow one another: the newer one moves the reference, and the older no longer does', async () => {
    const head = await record(task, 1);
    await as({ execution: 'a', activity: 9, attempt: 4, at: 10 }, () => updateAgentReference(stores, scope, { head }));
    await as({ execution: 'b', activity: 2, at: 20 }, () =>
      updateAgentReference(stores, scope, { head, iteration: 1 }),
    );
    for (const attempt of [4, 5])
      await expect(
        as({ execution: 'a', activity: 9, attempt, at: 10 + attempt }, () =>
          updateAgentReference(stores, scope, { head: task }),
        ),
      ).rejects.toMatchObject(SUPERSEDED);
    expect(await current()).toMatchObject({ head, iteration: 1, writer: { execution: 'b' } });
  });

  it('the newer one opens again what the older has ended as cancelled, where its work ended', async () => {
    const work = await record(task, 1);
    const end = await record(work, 2);
    const ended = { state: 'done', status: 'cancelled', ended_at: 11 } as const;
    await as({ execution: 'a', activity: 9, at: 10 }, () => updateAgentReference(stores, scope, { head: work }));
    await as({ execution: 'a', activity: 10, at: 11 }, () =>
      updateAgentReference(stores, scope, { head: end, ...ended }),
    );
    const own = await as({ execution: 'a', activity: 11, at: 12 }, () => openAgentReference(stores, scope));
    expect(own).toMatchObject({ head: end, state: 'done' });
    const opened = await as({ execution: 'b', activity: 1, at: 20 }, () => openAgentReference(stores, scope));
    expect(opened).toMatchObject({ head: work, state: 'starting', writer: { execution: 'b' } });
    expect(opened).not.toHaveProperty('status');
    expect(opened).not.toHaveProperty('ended_at');
    expect(await current()).toEqual(opened);
    await expect(
      as({ execution: 'a', activity: 10, at: 11 }, () => updateAgentReference(stores, scope, { head: end, ...ended })),
    ).rejects.toMatchObject(SUPERSEDED);
  });

  it('leave alone what has ended with an answer', async () => {
    const end = await record(task, 1);
    await as({ execution: 'a', activity: 9, at: 10 }, () =>
      updateAgentReference(stores, scope, { head: end, state: 'done', status: 'completed' }),
    );
    const done = await current();
    expect(await as({ execution: 'b', activity: 1, at: 20 }, () => openAgentReference(stores, scope))).toEqual(done);
    expect(await current()).toEqual(done);
  });

  it('an attempt that is scheduled again after the reset is the newer one', async () => {
    await as({ execution: 'a', activity: 9, at: 30 }, () => updateAgentReference(stores, scope, { head: task }));
    // Carried over by the reset with the time at which it was scheduled first.
    const carried = { execution: 'b', activity: 2, at: 20 };
    await expect(as(carried, () => updateAgentReference(stores, scope, { head: task }))).rejects.toMatchObject(
      SUPERSEDED,
    );
    const again = { ...carried, attempt: 2, at: 40 };
    await as(again, async () => {
      await fence(stores, scope, { ref: task });
      await updateAgentReference(stores, scope, { head: task, iteration: 1 });
    });
    expect(await current()).toMatchObject({ iteration: 1, writer: { execution: 'b', attempt: 2 } });
  });
});
