/**
 * Records histories of every workflow in every situation, for the tests to replay:
 *
 *     node test/replay/record.ts                   all of them, into histories.json.gz
 *     node test/replay/record.ts /tmp/x tree       this scenario only, into a folder, to read
 *
 * Until 1.0 there is one set, recorded again when the protocol changes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';
import { pauseMessage, resumeMessage, type RunState } from '../../src/domain/messages.ts';
import { attempts, forTask, withCode, type Conversation } from '../../src/testing/index.ts';
import { tool, toolsOf } from '../../src/tools/index.ts';
import { createWorld, type World } from '../e2e/world.ts';

const HISTORIES = fileURLToPath(new URL('histories.json.gz', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const [folder, ...only] = process.argv.slice(2);
/** Histories by workflow id; those of executions after the first have `~1`, `~2`, ... behind it. */
const recorded: Record<string, unknown> = {};

const done = (expression: string): string => withCode(`FINAL(${expression})`);
const prompts = ({ messages }: Conversation): string | undefined => (messages.length === 1 ? 'a' : undefined);

/** A reply that comes when the sandbox of the run's root has been killed. */
const afterKilling = (world: World, run: string, reply: string) => async (): Promise<string> => {
  await world.killSandbox(run, '0');
  return reply;
};

async function untilStatus(world: World, run: string, status: RunState['status']): Promise<void> {
  const handle = world.client.workflow.getHandle(run);
  while ((await handle.query<RunState>('status')).status !== status) await delay(50);
}

const DOUBLE = tool({
  description: 'Twice the value.',
  parameters: z.object({ value: z.int() }),
  run: ({ value }) => 2 * value,
});

type Scenarios = Readonly<Record<string, (world: World) => Promise<void>>>;

const SCENARIOS: Scenarios = {
  async tree(world) {
    const model = await world.startModel({
      scripts: [
        forTask('the root of the tree', [
          withCode('a = rlm_query_batched(["part 1", "part 2", "part 3"])\nprint(a)'),
          'No code this time.',
          withCode('print(llm_query("q"), llm_query_batched(["q"] * 12))\nopen("new.txt", "w").write("x")'),
          withCode('FINAL([a, rlm_query("part 4")])'),
        ]),
        forTask(/part [1-3]/, [withCode('FINAL(rlm_query("below " + task))')], {
          when: ({ opening }) => !opening.includes('below'),
        }),
        forTask(/below|part 4/, [withCode('FINAL(task)')]),
        (conversation) => (conversation.messages.length === 1 ? 'a' : undefined),
      ],
    });
    await world.run({ id: 'tree', prompt: 'the root of the tree', model });
  },
  async budget(world) {
    const model = await world.startModel({
      scripts: [
        forTask('spend it all', [
          withCode('a = rlm_query_batched(["spender 1", "spender 2"])\nFINAL([a, rlm_query_batched(["idle"] * 9)])'),
        ]),
        forTask('spender', [withCode('FINAL(len(llm_query_batched(["q"] * 20)))')]),
        forTask('idle', [withCode('FINAL(1)')]),
        (conversation) => (conversation.messages.length === 1 ? 'a' : undefined),
      ],
    });
    const rlm = { max_sandboxes: 6, max_llm_calls: 30, max_depth: 1, max_cost: 5 };
    await world.run({ id: 'budget', prompt: 'spend it all', model, config: { rlm } });
  },
  async extract(world) {
    const model = await world.startModel({
      scripts: forTask('no end', [withCode('print(1)'), withCode('1/0'), 'The best answer.']),
    });
    await world.run({ id: 'extract', prompt: 'no end', model, config: { rlm: { max_iterations: 2 } } });
  },
  async paused(world) {
    const refused = { error: { status: 401 } };
    const model = await world.startModel({ scripts: forTask('pause me', [attempts(refused, withCode('FINAL(1)'))]) });
    const handle = await world.start({ id: 'paused', prompt: 'pause me', model });
    await model.when((call) => call.outcome === 'failed');
    await untilStatus(world, 'paused', 'paused');
    await handle.signal('resume');
    await handle.result();
  },
  async timeout(world) {
    const model = await world.startModel({
      scripts: [
        forTask('too slow', [withCode('open("partial.txt", "w").write("p")\nrlm_query_batched(["hang 1", "hang 2"])')]),
        forTask('hang', [{ hang: true }]),
      ],
    });
    await world.run({ id: 'timeout', prompt: 'too slow', model, config: { rlm: { global_timeout: 4 } } });
  },
  async cancelled(world) {
    const model = await world.startModel({ scripts: forTask('cancel me', [withCode('while True: pass')]) });
    const handle = await world.start({ id: 'cancelled', prompt: 'cancel me', model });
    await model.when((call) => call.outcome === 'answered');
    await handle.cancel();
    await handle.result();
  },
  async apart(world) {
    // The model and the code apart, on queues of their own.
    const model = await world.startModel({
      scripts: [
        forTask('apart from each other', [
          withCode('x = rlm_query("a part")'),
          done('[x, llm_query_batched(["q"] * 3)]'),
        ]),
        forTask('a part', [done('task')]),
        prompts,
      ],
    });
    await world.run({
      id: 'apart',
      prompt: 'apart from each other',
      model,
      config: { temporal: { queues: 'separate' } },
    });
  },
  async spent(world) {
    // Money is used up: it pauses, gets more, and continues.
    const model = await world.startModel({
      scripts: forTask('dear', [withCode('print(1)'), withCode('print(2)'), done('3')]),
    });
    const prices = { 'openai/scripted': { input: 0, output: 1_000_000 } };
    const rlm = { max_cost: 0.000001 };
    const handle = await world.start({ id: 'spent', prompt: 'dear', model, config: { rlm, model: { prices } } });
    await untilStatus(world, 'spent', 'paused');
    await world.setBudget('spent', { max_cost: 1_000_000 });
    await handle.signal(resumeMessage, { id: 'on' });
    await handle.result();
  },
  async halted(world) {
    // Paused and resumed by a person, with a sub-agent at work.
    const model = await world.startModel({
      scripts: [
        forTask('halt here, traveller', [withCode('print(rlm_query("slow part"))'), done('1')]),
        forTask('slow part', [withCode('import time; time.sleep(1.5)'), done('2')]),
      ],
    });
    const handle = await world.start({ id: 'halted', prompt: 'halt here, traveller', model });
    await model.when(({ task, outcome }) => task.includes('slow part') && outcome === 'answered');
    await handle.signal(pauseMessage, { id: 'p', reason: 'to look at it' });
    await untilStatus(world, 'halted', 'paused');
    await handle.signal(resumeMessage, { id: 'r' });
    await handle.result();
  },
  async rebuilt(world) {
    // The sandbox is lost between two turns and in the middle of a block; an interpreter ends.
    const model = await world.startModel({
      scripts: [
        forTask('lose it', [
          withCode('x = 5'),
          afterKilling(world, 'rebuilt', withCode('x += 1')),
          withCode('a = llm_query("q one")\nb = llm_query("q two")'),
          withCode('import os; os._exit(3)'),
          done('[x, a, b, rlm_query("a part")]'),
        ]),
        forTask('a part', [done('task')]),
        async ({ opening }) => {
          if (opening.includes('q two')) await world.killSandbox('rebuilt', '0');
          return /q (one|two)/.test(opening) ? 'to a question' : undefined;
        },
      ],
    });
    await world.run({ id: 'rebuilt', prompt: 'lose it', model });
  },
  async crowded(world) {
    // More sandboxes than may live: those of agents that wait are dropped, and made again.
    const model = await world.startModel({
      scripts: [
        forTask('crowded', [withCode('answers = rlm_query_batched(["part 1", "part 2"])'), done('answers')]),
        forTask(/part \d/, [withCode('mine = rlm_query("leaf " + task[-1])'), done('mine')]),
        forTask(/leaf \d/, [done('"leaf"')]),
      ],
    });
    const config = { sandbox: { max_live: 1 }, rlm: { max_sandboxes: 7 } };
    await world.run({ id: 'crowded', prompt: 'crowded', model, config });
  },
  async analysis(world) {
    // Fields that do not fit first; variables handed to sub-agents; tools; prompts.
    const model = await world.startModel({
      scripts: [
        forTask('wanted: int', [
          withCode('parts = rlm_query_batched(["half of it"] * 2, items=[numbers[:2], numbers[2:]])\nprint(parts)'),
          withCode('said = [double(value=4), llm_query("q"), *llm_query_batched(["q"] * 12)]\nSUBMIT(wanted="x")'),
          withCode('SUBMIT(wanted=len(said))'),
        ]),
        forTask('half of it', [withCode('FINAL(sum(items))')]),
        prompts,
      ],
    });
    const signature = 'numbers: list[int] -> wanted: int';
    await world.analyze({ id: 'analysis', signature, inputs: { numbers: [1, 2, 3, 4] }, model });
  },
  async closing(world) {
    // Turns used up: the final answer fits the second time.
    const model = await world.startModel({
      scripts: forTask('figure: int', [
        withCode('print(1)'),
        'No code.',
        'It is three, I think.',
        '```json\n{"figure": 3}\n```',
      ]),
    });
    const config = { rlm: { max_iterations: 2 } };
    await world.analyze({ id: 'closing', signature: '-> figure: int', model, config });
  },
  async unfit(world) {
    // No final answer fits.
    const model = await world.startModel({
      scripts: ({ opening }) => (opening.includes('figure') ? 'No.' : undefined),
    });
    await world.analyze({ id: 'unfit', signature: '-> figure: int', model });
  },
  async stopped(world) {
    // Cancelled while sub-agents are at work, one of which has sub-agents itself.
    const model = await world.startModel({
      scripts: [
        forTask('stop us', [withCode('rlm_query_batched(["upper 1", "upper 2"])')]),
        forTask(/upper \d/, [withCode('rlm_query("lower")')]),
        forTask('lower', [{ hang: true }]),
      ],
    });
    const handle = await world.start({ id: 'stopped', prompt: 'stop us', model });
    await model.when(({ task, outcome }) => task.includes('lower') && outcome === 'pending');
    await handle.cancel();
    await handle.result();
  },
};

/** On a server that soon suggests to continue as new. */
const LONG_SCENARIOS: Scenarios = {
  async turns(world) {
    const model = await world.startModel({
      scripts: [
        forTask('many turns', [
          withCode('n = 0\nfirst = rlm_query("helper 1")'),
          ...Array.from({ length: 14 }, () => withCode('n += 1')),
          done('[n, first, rlm_query("helper 2")]'),
        ]),
        forTask(/helper \d/, [done('task')]),
      ],
    });
    // With a budget of money every turn is an activity.
    await world.run({ id: 'turns', prompt: 'many turns', model, config: { rlm: { max_cost: 100 } } });
  },
  async calls(world) {
    const model = await world.startModel({
      scripts: [
        forTask('call on call', [
          withCode('x = [llm_query(f"q{i}") for i in range(14)]\nx.append(rlm_query("helper"))'),
          done('len(x)'),
        ]),
        forTask('helper', [done('task')]),
        prompts,
      ],
    });
    await world.run({ id: 'calls', prompt: 'call on call', model });
  },
  async grants(world) {
    // Many ask the budget, whose history becomes long as well.
    const model = await world.startModel({
      scripts: [
        forTask('grant on grant', [withCode('x = rlm_query_batched([f"asker {i}" for i in range(7)])'), done('x')]),
        forTask(/asker \d/, [
          ...Array.from({ length: 3 }, () => withCode('print(rlm_query("leaf"))')),
          done('llm_query_batched(["q"] * 5)'),
        ]),
        forTask('leaf', [done('"leaf"')]),
        prompts,
      ],
    });
    const rlm = { max_sandboxes: 40, max_llm_calls: 60 };
    await world.run({ id: 'grants', prompt: 'grant on grant', model, config: { rlm } });
  },
};

await play(SCENARIOS, {});
await play(LONG_SCENARIOS, { 'limit.historyCount.suggestContinueAsNew': '40' });
if (folder === undefined) writeFileSync(HISTORIES, gzipSync(JSON.stringify(recorded), { level: 9 }));

async function play(scenarios: Scenarios, dynamicConfig: Readonly<Record<string, string>>): Promise<void> {
  const wanted = Object.entries(scenarios).filter(([name]) => only.length === 0 || only.includes(name));
  if (wanted.length === 0) return;
  const world = await createWorld('local', { dynamicConfig });
  try {
    await world.startWorker({ tools: toolsOf({ double: DOUBLE }) });
    for (const [name, scenario] of wanted) {
      await scenario(world);
      await save(world, name);
    }
  } finally {
    await world.close();
  }
}

/** Every execution of every workflow of a run. */
async function save(world: World, run: string): Promise<void> {
  const agents = (await world.agents(run)).map(({ agent }) => `${run}/${agent}`);
  for (const workflowId of [run, `${run}/budget`, ...agents]) {
    const handle = world.client.workflow.getHandle(workflowId);
    let execution = (await handle.describe()).raw.workflowExecutionInfo?.firstRunId ?? undefined;
    for (let number = 0; execution !== undefined && execution !== ''; number += 1) {
      const history = await world.client.workflow.getHandle(workflowId, execution).fetchHistory();
      const name = `${workflowId}${number === 0 ? '' : `~${number}`}`;
      // Stack traces name this checkout's folder.
      const json = historyToJSON(history).replaceAll(ROOT, '');
      recorded[name] = JSON.parse(json);
      if (folder !== undefined) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, `${name.replaceAll('/', '-')}.json`), `${json}\n`);
      }
      console.log(name, history.events?.length);
      const last = history.events?.at(-1);
      execution = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
  }
}
