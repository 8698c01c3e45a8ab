import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pauseMessage, resumeMessage } from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  // The server suggests to continue as new after 4,096 events unless told otherwise: here soon enough to be seen.
  world = await createWorld('local', {
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': sized('30', '60') },
  });
  await world.startWorker();
}, 300_000);

afterAll(() => world.close());

/** Calls of one block, one after another. */
const CALLS = sized(30, 60);
const done = (expression: string): string => withCode(`FINAL(${expression})`);

/** How many executions an agent's workflow had. */
async function executions(workflowId: string): Promise<number> {
  let count = 0;
  await vi.waitFor(
    async () => {
      count = 0;
      for await (const _ of world.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) count += 1;
      expect(count).toBeGreaterThan(1);
    },
    { timeout: 60_000 },
  );
  return count;
}

const prompts = ({ messages, last }: { readonly messages: readonly unknown[]; readonly last: string }) =>
  messages.length === 1 ? `to ${last}` : undefined;

describe.concurrent('an agent whose history becomes long', () => {
  itLong('continues an empty one between two turns: variables, budget, usage and numbers are as before', async () => {
    const turns = sized(16, 40);
    const model = await world.startModel({
      scripts: [
        forTask('many turns', [
          withCode('n = 0\nfirst = rlm_query_batched(["helper 1", "helper 2"])'),
          ...Array.from({ length: turns }, () => withCode('n += 1')),
          withCode('last = rlm_query("helper 3")'),
          done('[n, first, last]'),
        ]),
        forTask(/helper \d/, [done('task')]),
      ],
    });
    const config = { rlm: { max_cost: 100, max_iterations: 60, max_sandboxes: 4 } };
    const outcome = await world.run({ id: 'turns', prompt: 'many turns', model, config });
    expect(outcome.error).toBeNull();
    expect(await world.answer(outcome)).toEqual([turns, ['helper 1', 'helper 2'], 'helper 3']);
    expect(outcome).toMatchObject({
      agents: 4,
      sandboxes: 4,
      iterations: turns + 3 + 3,
      usage: { llm_calls: turns + 6 },
    });
    expect((await world.agents('turns')).map(({ agent }) => agent)).toEqual(['0', '0.1', '0.2', '0.3']);
    expect(await executions('turns/0')).toBeGreaterThan(3);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('continues in the middle of a block that makes one call after another', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('many calls', [
          withCode(`answers = [llm_query(f"q{i}") for i in range(${CALLS})]`),
          done('[len(answers), answers[0], answers[-1]]'),
        ]),
        prompts,
      ],
    });
    const outcome = await world.run({ id: 'calls', prompt: 'many calls', model });
    expect(await world.answer(outcome)).toEqual([CALLS, 'to q0', `to q${CALLS - 1}`]);
    expect(outcome).toMatchObject({ usage: { llm_calls: CALLS + 2 } });
    expect(await executions('calls/0')).toBeGreaterThan(3);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  }, 60_000);

  itLong('is cancelled, paused and resumed like any other, also below its parent', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('boss', [withCode('rlm_query("long worker")')]),
        forTask('long worker', [
          withCode(`for i in range(${CALLS / 2}): llm_query(f"q{i}")`),
          withCode('llm_query("now")'),
          { hang: true },
        ]),
        prompts,
      ],
    });
    const handle = await world.start({ id: 'boss', prompt: 'boss', model });
    await model.when(({ task, outcome }) => task === 'now' && outcome === 'answered', 60_000);
    expect(await executions('boss/0.1')).toBeGreaterThan(2);
    await handle.signal(pauseMessage);
    await handle.signal(resumeMessage);
    await handle.cancel();
    const outcome = (await handle.result()) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'cancelled', agents: 2 });
    await vi.waitFor(async () => expect(await world.leftovers('boss')).toEqual([]), { timeout: 20_000 });
    await model.close({ check: false }); // It may have been cancelled before it asked once more.
  });
});
