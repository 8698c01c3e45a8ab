import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type Scripts } from '../../src/testing/index.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, TASK_QUEUE, type World } from './world.ts';

/** What Temporal, who administers it and the operating system can do to a run, besides ending its processes. */
vi.setConfig({ testTimeout: 90_000 });

const TREE: Scripts = [
  forTask('a small tree', [
    withCode('first = 1\nopen("new.txt", "w").write("x")'),
    withCode('reports = rlm_query_batched(["leaf 1", "leaf 2", "leaf 3"])\nprint(reports)'),
    withCode('opinion = llm_query("What of it?")'),
    withCode('FINAL([first, reports, opinion])'),
  ]),
  forTask(/leaf \d/, [withCode('seen = task'), withCode('FINAL(seen + " seen")')]),
  ({ messages }) => (messages.length === 1 ? 'much' : undefined),
];
const ANSWER = [1, ['leaf 1 seen', 'leaf 2 seen', 'leaf 3 seen'], 'much'];
const CALLS = 4 + 3 * 2 + 1;

describe('a worker that keeps no workflow in memory', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker({ maxCachedWorkflows: 0 });
  });
  afterAll(() => world.close());

  it('comes to the same answer, replaying the history for every step', async () => {
    const model = await world.startModel({ scripts: TREE });
    const outcome = await world.run({ id: 'uncached', prompt: 'a small tree', model });
    expect(outcome).toMatchObject({ status: 'completed', agents: 4 });
    expect(await world.answer(outcome)).toEqual(ANSWER);
    expect(model.count()).toBe(CALLS);
    await model.close();
  });
});

describe.concurrent('a workflow', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  it.each(['investigate', 'agent', 'budget'])('%s that throws fails, and is not tried for ever', async (type) => {
    const handle = await world.client.workflow.start(type, {
      workflowId: `nonsense-${type}`,
      taskQueue: TASK_QUEUE,
      args: [],
    });
    await expect(handle.result()).rejects.toThrow('Workflow execution failed');
    const events = (await handle.fetchHistory()).events ?? [];
    expect(events.filter((event) => event.workflowTaskFailedEventAttributes != null)).toEqual([]);
  });

  /** Number of the event with a completed task: the last before children are begun, or the first after. */
  async function taskBeside(handle: WorkflowHandle, side: 'before' | 'after'): Promise<string> {
    const events = (await handle.fetchHistory()).events ?? [];
    const begun = events.findIndex((event) => event.startChildWorkflowExecutionInitiatedEventAttributes != null);
    const isTask = (event: (typeof events)[number]): boolean => event.workflowTaskCompletedEventAttributes != null;
    // The task that began the children is completed just before them.
    const tasks = side === 'before' ? events.slice(0, begun - 1).filter(isTask) : events.slice(begun).filter(isTask);
    return String(tasks.at(side === 'before' ? -1 : 0)?.eventId ?? '');
  }

  async function resetInTheMiddle(workflow: (run: string) => string, side: 'before' | 'after'): Promise<void> {
    const run = `${workflow('reset').replaceAll('/', '-')}-${side}`;
    const release = Promise.withResolvers<undefined>();
    const model = await world.startModel({
      scripts: [({ opening }) => (opening.includes('leaf 2') ? release.promise : undefined), ...[TREE].flat()],
    });
    await world.start({ id: run, prompt: 'a small tree', model });
    await model.when(({ task }) => task.includes('leaf 2'), 60_000);
    const target = world.client.workflow.getHandle(workflow(run));
    const { runId } = await target.describe();
    await world.client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: target.workflowId, runId },
      reason: 'a test',
      workflowTaskFinishEventId: Number(await taskBeside(target, side)) as never,
      requestId: run,
    });
    release.resolve(undefined);
    // By name: the handle is bound to the execution that was started.
    const outcome = (await world.client.workflow.getHandle(run).result()) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'completed', error: null, agents: 4 });
    expect(await world.answer(outcome)).toEqual(ANSWER);
    expect(model.paidTwice()).toEqual([]);
    await vi.waitFor(async () => expect(await world.leftovers(run)).toEqual([]), { timeout: 20_000 });
    await model.close({ check: false });
  }

  it.each(sized<readonly ('before' | 'after')[]>(['before'], ['before', 'after']))(
    'of an agent, reset to a point %s it started sub-agents, continues',
    (side) => resetInTheMiddle((run) => `${run}/0`, side),
  );

  itLong('of a run, reset to a point after it started its agents, continues', () =>
    resetInTheMiddle((run) => run, 'after'),
  );

  // Its agents of before are cancelled and record their end; those started again go on from there.
  itLong('of a run, reset to a point before it started its agents, starts them again', () =>
    resetInTheMiddle((run) => run, 'before'),
  );
});
