import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { ResultsDetail } from '../../src/results/results-files.ts';
import type { RunDocument } from '../../src/results/run-document.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { cacheDirectory } from '../../src/config/directories.ts';
import { forTask, withCode, type Conversation, type ScriptedModel, type Step } from '../../src/testing/index.ts';
import { runHere } from '../cli/in-process.ts';
import { createDesk, says, type Desk, type RunningCommand } from './command.ts';
import { tellerOfRlm, tellerOfTemporal, type Stage, type Storyteller } from './storytellers.ts';
import { createWorld, git, makeRepository, SMALL_REPOSITORY, type World } from './world.ts';

/**
 * One investigation to which happens, one after the other, what can happen to a run. It is told twice: with the command
 * `rlm`, and with Temporal's own command line. Workers are commands on hosts that have the server and the store in common.
 */
vi.setConfig({ testTimeout: 400_000 });
const WAIT = { timeout: 60_000, interval: 100 };

const TASK = 'Put the number right';
const PART = 'Correct it in pkg/a.py';
const MESSAGE = 'Leave the tests as they are';
const NEXT_TASK = 'Now write down what you did';
const OTHER_MODEL = 'openai/another';
const REASON = 'to look at it';

/** USD of the replies: sums of them are exact. The first three and the sub-agent's use up the first limit. */
const COSTS = { iterations: [0.25, 0.5, 0.75, 1, 1.25, 1.5], part: 0.5, continued: 1.75, forked: 2.25 };
const MAX_COST = 2;
const RAISED_MAX_COST = 8;

let world: World;
beforeAll(async () => {
  world = await createWorld('local');
});
afterAll(() => world.close());

/** What the model says, holding back what a step of the story waits for, and what it has heard and has been paid. */
interface Play {
  readonly model: ScriptedModel;
  /** Resolves when the root agent asks for the reply of an iteration. */
  asked(iteration: number, options?: { readonly again?: true }): Promise<void>;
  /** Lets the model answer. */
  answer(iteration: number): void;
  /** The last message that the model of the root was sent before an iteration. */
  heard(iteration: number): string;
  /** USD of what was answered, by the conversation. */
  paid(from: number): number;
}

async function startPlay(): Promise<Play> {
  const held = new Map([1, 2, 5].map((iteration) => [iteration, Promise.withResolvers<void>()]));
  const heard = new Map<number, string>();
  const prices = new Map<string, number>();
  const priced =
    (cost: number, code: string, iteration?: number): Step =>
    async ({ hash, last }: Conversation) => {
      prices.set(hash, cost);
      if (iteration !== undefined) {
        heard.set(iteration, last);
        await held.get(iteration)?.promise;
      }
      return { text: withCode(code), usage: { cost } };
    };
  const code = [
    'notes = ["begun"]',
    'print(open("pkg/a.py").read())',
    `report = rlm_query("${PART}")\nprint(report.files)`,
    'merged = apply_patch(report)\nprint(merged["applied"])',
    'notes.append("on another host")',
    'FINAL({"notes": notes, "applied": merged["applied"], "files": report.files})',
  ];
  const isForked = ({ model }: Conversation): boolean => model === OTHER_MODEL.replace('openai/', '');
  const model = await world.startModel({
    scripts: [
      forTask(PART, [priced(COSTS.part, 'print(edit_file("pkg/a.py", "return 1", "return 2"))\nFINAL("corrected")')]),
      forTask(TASK, [priced(COSTS.forked, 'FINAL([notes, report.files])')], {
        when: isForked,
        turn: ({ turn }) => turn - 3,
      }),
      forTask(TASK, [
        ...COSTS.iterations.map((cost, at) => priced(cost, code[at] ?? '', at + 1)),
        priced(COSTS.continued, 'open("NOTES.md", "w").write("\\n".join(notes) + "\\n")\nFINAL("written down")', 7),
      ]),
    ],
  });
  return {
    model,
    async asked(iteration, { again } = {}) {
      const isIt = ({ turn, outcome, task, askedBefore }: ScriptedModel['calls'][number]): boolean =>
        turn === iteration - 1 && outcome === 'pending' && task.includes(TASK) && (again !== true || askedBefore > 0);
      await model.when(isIt, WAIT.timeout);
    },
    answer: (iteration) => held.get(iteration)?.resolve(),
    heard: (iteration) => heard.get(iteration) ?? '',
    paid: (from) =>
      model.calls
        .slice(from)
        .filter(({ outcome }) => outcome === 'answered')
        .reduce((sum, { hash }) => sum + (prices.get(hash) ?? Number.NaN), 0),
  };
}

/** Hosts of one task queue, whose state folders have nothing in common. */
function createHosts({ world: { folder, server }, desk }: Stage, config: ConfigInput) {
  const folders = new Set<string>();
  const stateOf = (host: string): string => {
    const state = join(desk.folder, `state-of-${host}`);
    if (!folders.has(host)) mkdirSync(state, { mode: 0o700 });
    folders.add(host);
    return state;
  };
  const sandboxesOf = (host: string): ReturnType<typeof createLocalProvider> =>
    createLocalProvider({ stateDirectory: stateOf(host), cacheDirectory: join(folder, 'cache') });
  const removeSandboxes = async (host: string): Promise<string[]> => {
    const provider = sandboxesOf(host);
    const found = await provider.list();
    for (const { handle } of found) await provider.destroy(handle);
    await provider.close();
    return found.map(({ handle }) => handle.id);
  };
  return {
    async startWorker(host: string): Promise<RunningCommand> {
      const worker = desk.start(['worker', '--address', server.address, '--drain', '1'], {
        DURABLE_RLM_STATE: stateOf(host),
        DURABLE_RLM_CACHE: cacheDirectory(process.env),
      });
      await says(worker, /working/);
      return worker;
    },
    /** One that gives up on hosts which do not answer sooner than in minutes. */
    async startImpatientWorker(host: string, taskQueue: string): Promise<void> {
      await world.startWorker({ taskQueue, stateDirectory: stateOf(host), hostPatience: 1000, config });
    },
    /** @returns ids of the sandboxes that it had */
    async lose(host: string, worker: RunningCommand): Promise<string[]> {
      worker.kill();
      await worker.finished;
      const lost = await removeSandboxes(host);
      rmSync(stateOf(host), { recursive: true });
      return lost;
    },
    removeSandboxes,
  };
}

async function document(desk: Desk, run: string): Promise<RunDocument> {
  return JSON.parse(await shown(desk, 'result', run, '--json')) as RunDocument;
}

async function shown(desk: Desk, ...args: string[]): Promise<string> {
  return (await runHere(desk, args)).stdout.toString();
}

const TELLERS: readonly (readonly [string, (stage: Stage) => Storyteller])[] = [
  ['rlm', tellerOfRlm],
  ['temporal', tellerOfTemporal],
];

describe.concurrent.each(TELLERS)('told with %s, a run', (name, createTeller) => {
  it('is paused, steered, given more, loses its worker and its host, is continued and forked', async () => {
    const desk = await createDesk('local');
    const play = await startPlay();
    const { model } = play;
    const taskQueue = `story-of-${name}`;
    const config: ConfigInput = {
      model: {
        name: 'openai/scripted',
        base_url: model.url,
        prices: Object.fromEntries(['openai/scripted', OTHER_MODEL].map((each) => [each, { input: 0, output: 0 }])),
      },
      rlm: { max_cost: 10 },
      worker: { allow: { folders: [world.folder] } },
    };
    const storage = { path: join(world.folder, 'state', 'blobs') };
    desk.configure(
      stringify({ ...config, storage, temporal: { address: world.server.address, task_queue: taskQueue } }),
    );
    const stage = { world, desk, taskQueue };
    const [teller, hosts, run] = [createTeller(stage), createHosts(stage, config), `story-of-${name}`];
    const untilPaused = (reason: unknown): Promise<void> =>
      vi.waitFor(async () => expect(await teller.status(run)).toMatchObject({ status: 'paused', reason }), WAIT);
    try {
      // It is started, and paused while the model is asked.
      let worker = await hosts.startWorker('first');
      await teller.start(run, { prompt: TASK, maxCost: MAX_COST });
      await play.asked(1);
      await teller.pause(run, REASON);
      await untilPaused(expect.stringContaining(REASON));
      play.answer(1);
      await vi.waitFor(
        async () => expect((await world.agents(run))[0]).toMatchObject({ usage: { llm_calls: 1 } }),
        WAIT,
      );

      // Its worker is replaced meanwhile.
      worker.kill();
      await worker.finished;
      worker = await hosts.startWorker('first');
      await untilPaused(expect.stringContaining(REASON));
      expect(model.count()).toBe(1);
      await teller.resume(run);

      // It is steered while the model is asked: the next request has the message.
      await play.asked(2);
      await teller.steer(run, MESSAGE);
      play.answer(2);

      // Its money is used up, and it gets more.
      await untilPaused(expect.stringContaining(`$${MAX_COST} for model calls is used up`));
      expect((await world.agents(run))[0]).toMatchObject({ iteration: 3, state: 'thinking' });
      expect(play.heard(2)).not.toContain(MESSAGE);
      expect(play.heard(3)).toContain(MESSAGE);
      expect(play.paid(0)).toBe(MAX_COST);
      await teller.raiseMaxCost(run, RAISED_MAX_COST);
      // The query has it as a field, `rlm status` in words.
      const raised = new RegExp(`it is \\$${RAISED_MAX_COST} now|"raised_to":${RAISED_MAX_COST}\\b`);
      await vi.waitFor(async () => expect(JSON.stringify(await teller.status(run))).toMatch(raised), WAIT);
      await teller.resume(run);

      // Its host is lost for good while the model is asked.
      await play.asked(5);
      expect(await hosts.lose('first', worker)).toHaveLength(1);
      await hosts.startImpatientWorker('second', taskQueue);
      await play.asked(5, { again: true });
      play.answer(5);
      const ending = await teller.result(run);
      expect(ending).toMatchObject({
        status: 'completed',
        answer: { notes: ['begun', 'on another host'], applied: true, files: ['pkg/a.py'] },
        usage: { cost: play.paid(0), llm_calls: 7 },
      });

      // It is continued, and forked where another model takes another way.
      let before = model.count();
      const continued = await teller.continueWith(run, NEXT_TASK);
      expect(await teller.result(continued)).toMatchObject({
        status: 'completed',
        answer: 'written down',
        usage: { cost: play.paid(before), llm_calls: 1 },
      });
      before = model.count();
      const forked = await teller.fork(run, { at: 3, model: OTHER_MODEL });
      expect(await teller.result(forked)).toMatchObject({
        status: 'completed',
        answer: [['begun'], ['pkg/a.py']],
        usage: { cost: play.paid(before), llm_calls: 1 },
      });

      // Every request was answered once; that of the lost host had been asked for before, in vain.
      expect(model.paidTwice()).toEqual([]);
      const distinct = new Set(model.calls.map(({ hash }) => hash));
      expect(distinct.size).toBe(9);
      const unanswered = model.calls.filter(({ outcome }) => outcome !== 'answered');
      expect(unanswered).toMatchObject([{ outcome: 'aborted', turn: 4 }]);
      expect(model.count()).toBe(distinct.size + unanswered.length);

      await expectTold(desk, { run, continued, forked, play });
      expect(await hosts.removeSandboxes('second')).toEqual([]);
      await model.close();
    } finally {
      await hosts.removeSandboxes('second');
      await desk.close();
    }
  });
});

/** What a person reads afterwards, of everything that has happened. */
async function expectTold(
  desk: Desk,
  { run, continued, forked, play }: { run: string; continued: string; forked: string; play: Play },
): Promise<void> {
  const [first, second, third] = await Promise.all([run, continued, forked].map((each) => document(desk, each)));
  // Money: each run has its own, and all of it is all that was paid.
  const costs = [first, second, third].map((each) => each?.usage.cost);
  expect(costs).toEqual([COSTS.iterations.reduce((a, b) => a + b) + COSTS.part, COSTS.continued, COSTS.forked]);
  expect(costs.reduce((a = 0, b = 0) => a + b)).toBe(play.paid(0));
  expect(first).toMatchObject({ agents: 2, iterations: 7, sandboxes: 3, limits: { max_cost: RAISED_MAX_COST } });
  expect(second).toMatchObject({ agents: 1, iterations: 1, from: { run, agent: '0', iteration: 6 } });
  expect(third).toMatchObject({ agents: 1, iterations: 1, from: { run, agent: '0', iteration: 3 }, patch: null });

  const transcript = await shown(desk, 'show', run);
  const order = ['## Iteration 2', MESSAGE, '## Iteration 3', PART, 'corrected', '## Iteration 5', 'lost and rebuilt'];
  const places = order.map((text) => transcript.indexOf(text));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places).not.toContain(-1);
  expect(await shown(desk, 'show', continued)).toContain(NEXT_TASK);
  expect(await shown(desk, 'show', forked)).toContain('(another,');
  expect(await shown(desk, 'status', run)).toContain(`$${costs[0]?.toFixed(2)} of $${RAISED_MAX_COST}.00`);
  expect(await shown(desk, 'status', continued)).toContain(`continues ${run} after iteration 6`);
  expect(await shown(desk, 'status', forked)).toContain(`continues ${run} after iteration 3`);

  const detail = JSON.parse(readFileSync(join(desk.folder, 'results', `${run}.detail.json`), 'utf8')) as ResultsDetail;
  expect(detail).toMatchObject({
    status: 'completed',
    limits: { max_cost: RAISED_MAX_COST },
    totals: { sandboxes: 3 },
  });
  expect(detail.root_agent?.iterations[2]?.prompt).toContain(MESSAGE);

  // The patch of the sub-agent is that of the run, and git applies it.
  const copy = makeRepository(join(desk.folder, 'copy'), SMALL_REPOSITORY);
  await runHere(desk, ['patch', run, '-o', 'first.patch']);
  git(copy, 'apply', join(desk.folder, 'first.patch'));
  expect(git(copy, 'diff', '--name-only').trim()).toBe('pkg/a.py');
  expect(readFileSync(join(copy, 'pkg/a.py'), 'utf8')).toBe('def one():\n    return 2  # TODO: return two\n');
  expect(await shown(desk, 'patch', run, '0.1')).toBe(readFileSync(join(desk.folder, 'first.patch'), 'utf8'));
  git(copy, 'checkout', '-q', '.');
  await runHere(desk, ['patch', continued, '-o', 'second.patch']);
  git(copy, 'apply', join(desk.folder, 'second.patch'));
  expect(readFileSync(join(copy, 'NOTES.md'), 'utf8')).toBe('begun\non another host\n');
}
