import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BudgetLimits } from '../../src/domain/budget.ts';
import { spentQuery } from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 300_000 });

/** An agent by what it starts. */
type Shape = readonly Shape[];

const LEAF: Shape = [];
const times = (count: number, shape: Shape): Shape => Array.from({ length: count }, () => shape);
const TWENTY_FIVE: Shape = [...times(5, times(3, LEAF)), ...times(20, LEAF)];
const agentsOf = (shape: Shape): number => 1 + shape.reduce((sum, below) => sum + agentsOf(below), 0);

/** The default tree, and a small one that is as deep as any; `npm run test:long` grows them all. */
const SHAPES = sized<readonly (readonly [name: string, shape: Shape, budgets: readonly number[]])[]>(
  [
    ['25, five of them with 3', TWENTY_FIVE, [41, 40]],
    ['2 with 2 each with 1 each', times(2, times(2, times(1, LEAF))), [11, 10, 2, 1]],
  ],
  [
    ['25 leaves', times(25, LEAF), [26, 25, 2, 1]],
    ['25, five of them with 3', TWENTY_FIVE, [41, 40, 2, 1]],
    ['5 with 5 each with 1 each', times(5, times(5, times(1, LEAF))), [56, 55, 2, 1]],
  ],
);

/** What an agent and those below it report. */
interface Report {
  /** Sub-agents that were asked for. */
  readonly asked: number;
  readonly refused: readonly string[];
}

/** Every agent starts what its task says, all at once, and adds up what it hears. */
const GROW = withCode(
  [
    'import json',
    'below = json.loads(task.split("|")[1])',
    'answers = rlm_query_batched([f"grow|{json.dumps(shape)}" for shape in below]) if below else []',
    'refused = [answer for answer in answers if answer.startswith("Error:")]',
    'reports = [json.loads(answer) for answer in answers if not answer.startswith("Error:")]',
    'asked = len(below) + sum(report["asked"] for report in reports)',
    'FINAL(json.dumps({"asked": asked, "refused": refused + [each for report in reports for each in report["refused"]]}))',
  ].join('\n'),
);

let world: World;
let model: ScriptedModel;
beforeAll(async () => {
  world = await createWorld('local', sized({}, { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '60' } }));
  await world.startWorker();
  model = await world.startModel({
    scripts: [
      forTask(/grow\|/, [GROW]),
      forTask('ask one by one', [
        withCode('answers = [llm_query("q") for i in range(30)]\nFINAL([sum(x == "a" for x in answers), answers[-1]])'),
      ]),
      forTask('raise it', [
        withCode('first = rlm_query_batched(["grow|[]"] * 3)\nllm_query("until it is raised")'),
        withCode('second = rlm_query_batched(["grow|[]"] * 3)\nFINAL([len(first[2]), second])'),
      ]),
      forTask('lose it', [
        withCode('llm_query("until it is lost")\nllm_query("q")'),
        withCode('FINAL("in spite of it")'),
      ]),
      ({ messages, last }) => (messages.length === 1 && last.startsWith('until') ? held.promise : undefined),
      ({ messages }) => (messages.length === 1 ? 'a' : undefined),
    ],
  });
}, 300_000);
afterAll(() => world.close());

/** Prompts that begin with "until" are answered when this is resolved. */
let held = Promise.withResolvers<string>();

describe.each(SHAPES)('a run with %s', (name, shape, budgets) => {
  const demand = agentsOf(shape);

  it.each(budgets)('uses a budget of %i to the last sandbox, and refuses exactly the rest', async (limit) => {
    const id = `${name.replaceAll(/\W+/g, '-')}-${limit}`;
    const config = { rlm: { max_sandboxes: limit } };
    const outcome = await world.run({ id, prompt: `grow|${JSON.stringify(shape)}`, model, config });
    const { asked, refused } = JSON.parse((await world.answer(outcome)) as string) as Report;
    const used = Math.min(limit, 1 + asked);
    expect(outcome).toMatchObject({ status: 'completed', agents: used, sandboxes: used });
    expect(refused).toEqual(
      Array.from({ length: 1 + asked - used }, () => expect.stringContaining(`rlm.max_sandboxes: ${limit} `)),
    );
    if (limit >= demand - 1) expect(refused.length).toBe(demand - limit);
    expect(outcome.notes).toEqual(
      refused.length === 0 ? [] : [expect.stringContaining(`rlm.max_sandboxes: ${limit} for the whole run)`)],
    );
  });
});

describe('an agent', () => {
  it('starts at most 16 sub-agents at a time', async () => {
    const prompt = `grow|${JSON.stringify(times(20, LEAF))}`;
    expect(await world.run({ id: 'window', prompt, model })).toMatchObject({ agents: 21 });
    const { events } = await world.client.workflow.getHandle('window/0').fetchHistory();
    let [starting, most] = [0, 0];
    for (const event of events ?? []) {
      if (event.startChildWorkflowExecutionInitiatedEventAttributes != null) starting += 1;
      if (event.childWorkflowExecutionStartedEventAttributes != null) starting -= 1;
      most = Math.max(most, starting);
    }
    expect([starting, most]).toEqual([0, 16]);
  });
});

describe('the budget of a run', () => {
  itLong('continues as new when its history becomes long, and counts on', async () => {
    const config = { rlm: { max_llm_calls: 20 } };
    const outcome = await world.run({ id: 'one-by-one', prompt: 'ask one by one', model, config });
    expect(await world.answer(outcome)).toEqual([20, expect.stringContaining('rlm.max_llm_calls: 20 ')]);
    const handle = world.client.workflow.getHandle('one-by-one/budget');
    expect(await handle.query(spentQuery)).toEqual({
      limits: { max_sandboxes: 50, max_llm_calls: 20 },
      used: { sandboxes: 1, llm_calls: 20 },
      left: { sandboxes: 49, llm_calls: 0 },
      notes: [],
    });
    const { raw } = await handle.describe();
    expect(raw.workflowExecutionInfo?.firstRunId).not.toBe(raw.workflowExecutionInfo?.execution?.runId);
  });

  it('is raised while it runs; refusals and notes say the limit that is in force', async () => {
    held = Promise.withResolvers<string>();
    const config = { rlm: { max_sandboxes: 3 } };
    const handle = await world.start({ id: 'raised', prompt: 'raise it', model, config });
    await model.when(({ task }) => task === 'until it is raised', 60_000);
    await world.setBudget(handle.workflowId, { max_sandboxes: 5 });
    const budget = world.client.workflow.getHandle('raised/budget');
    await vi.waitFor(async () => {
      const { limits } = await budget.query<{ limits: BudgetLimits }>(spentQuery);
      expect(limits.max_sandboxes).toBe(5);
    }, 60_000);
    held.resolve('go on');
    const outcome = (await handle.result()) as RunOutcome;
    const [, second] = (await world.answer(outcome)) as [number, string[]];
    expect(second.filter((answer) => answer.startsWith('Error:'))).toEqual([
      expect.stringContaining('rlm.max_sandboxes: 5 '),
    ]);
    expect(outcome.notes).toEqual([expect.stringMatching(/^2 tasks .*rlm\.max_sandboxes: 5 for the whole run\)/)]);
    expect(outcome.sandboxes).toBe(5);
  });

  it('that is gone ends the agent that asks it, and says so', async () => {
    held = Promise.withResolvers<string>();
    const handle = await world.start({ id: 'lost', prompt: 'lose it', model });
    await model.when(({ task }) => task === 'until it is lost', 60_000);
    await world.client.workflow.getHandle('lost/budget').terminate('by a test');
    held.resolve('go on');
    expect(await handle.result()).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^The workflow that counts the budget of this run has ended/),
    });
  });
});
