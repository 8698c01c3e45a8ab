import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostIdentity } from '../../src/sandbox/host/host-identity.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, TASK_QUEUE, type World } from '../e2e/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const hostQueue = (): string => `${TASK_QUEUE}@${hostIdentity(hostname(), join(world.folder, 'state'))}`;

/** The task queue of every activity that a workflow scheduled, by the activity. */
async function queuesOf(workflowId: string): Promise<Record<string, string[]>> {
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const queues: Record<string, string[]> = {};
  for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
    const { activityType, taskQueue } = scheduled ?? {};
    if (activityType?.name && taskQueue?.name)
      queues[activityType.name] = [...new Set([...(queues[activityType.name] ?? []), taskQueue.name])];
  }
  return queues;
}

describe('queues of their own for models and sandboxes', () => {
  it('let three workers share the work by its kind', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('shared out', [
          withCode('print(rlm_query("a part"))'),
          withCode('FINAL(llm_query_batched(["q"] * 6))'),
        ]),
        forTask('a part', [withCode('FINAL(task)')]),
        ({ messages }) => (messages.length === 1 ? 'a' : undefined),
      ],
      latencyMs: 100,
    });
    // None of them could do it alone.
    const workers = [
      await world.startWorker({ queues: ['workflows'] }),
      await world.startWorker({ queues: ['models'], concurrency: { models: 2 }, autoscaling: true }),
      await world.startWorker({ queues: ['sandboxes'], autoscaling: true }),
    ];
    const outcome = await world.run({
      id: 'separate',
      prompt: 'shared out',
      model,
      config: { temporal: { queues: 'separate' } },
    });
    expect(outcome).toMatchObject({ status: 'completed', agents: 2, iterations: 3 });
    expect(await world.answer(outcome)).toEqual(Array(6).fill('a'));
    expect(model.peak()).toBe(2);
    expect(await queuesOf('separate/0')).toEqual({
      createSandbox: [`${TASK_QUEUE}/sandboxes`],
      callModel: [`${TASK_QUEUE}/models`],
      runCode: [hostQueue()],
      finishAgent: [hostQueue()],
      answerPrompts: [`${TASK_QUEUE}/models`],
    });
    expect(await queuesOf('separate')).toEqual({ prepareInvestigation: [TASK_QUEUE], recordOutcome: [TASK_QUEUE] });
    expect(await world.sandboxes()).toEqual([]);
    await Promise.all(workers.map((worker) => worker.shutdown()));
  });
});

describe('limits on work at the same time', () => {
  it('hold over all activities that ask models or run code', async () => {
    const block = [
      'import os, time',
      'open(f"/tmp/{task[-1]}", "w").close()',
      'began = time.time()\ntime.sleep(0.3)',
      'FINAL([began, time.time()])',
    ].join('\n');
    const model = await world.startModel({
      scripts: [
        forTask('one at a time', [
          withCode('print(llm_query_batched(["q"] * 8))'),
          withCode('FINAL(rlm_query_batched([f"child {i}" for i in range(4)]))'),
        ]),
        forTask('child', [withCode(block)]),
        ({ messages }) => (messages.length === 1 ? 'a' : undefined),
      ],
      latencyMs: 50,
    });
    const worker = await world.startWorker({ concurrency: { models: 3, sandboxes: 1 } });
    const outcome = await world.run({ id: 'limited', prompt: 'one at a time', model });
    expect(outcome.status).toBe('completed');
    expect(model.peak()).toBe(3);
    const reports = (await world.answer(outcome)) as string[];
    const times = reports.map((report) => JSON.parse(report) as [number, number]).toSorted(([a], [b]) => a - b);
    expect(times).toHaveLength(4);
    for (const [at, [began]] of times.entries()) if (at > 0) expect(began).toBeGreaterThan(times[at - 1]?.[1] ?? 0);
    expect([worker.levels.models?.taken, worker.levels.sandboxes?.taken]).toEqual([0, 0]);
    await worker.shutdown();
  });
});
