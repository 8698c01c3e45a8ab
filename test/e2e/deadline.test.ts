import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pauseMessage, resumeMessage, statusQuery, type RunState } from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type Step } from '../../src/testing/index.ts';
import { processesWith } from './places.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

/** At its deadline a run ends with what it has, and leaves nothing. */
vi.setConfig({ testTimeout: 90_000 });
let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(async () => {
  try {
    expect(await world.leftovers()).toEqual([]);
  } finally {
    await world.close();
  }
});

/** Seconds of each run, and those that it gets to end in: promised by the program. */
const TIMEOUT = 6;
/** A tree must have grown before its deadline strikes. */
const TREE_TIMEOUT = 10;
const PROMISE = 10;

const EDIT = withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))');
const LOOP = 'while True: pass';
const DEAF = `import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n${LOOP}`;
/** A process of the code's own, told by its argument. */
const bystander = (run: string): string => `import subprocess\nsubprocess.Popen(["sleep", "${marker(run)}"])\n`;
const marker = (run: string): string => `4${Buffer.from(run).readUIntBE(0, 4)}`;

/** Nothing of the run is left, of what the host sees. */
async function expectNothingLeft(run: string): Promise<void> {
  expect(await world.leftovers(run)).toEqual([]);
  expect(processesWith(marker(run))).toEqual([]);
}

/** When the run's time is over, in milliseconds since the epoch. */
async function deadlineOf(handle: WorkflowHandle): Promise<number> {
  const state = await vi.waitFor(
    async () => {
      const now = await handle.query<RunState>(statusQuery);
      expect(now.status).toBe('running');
      return now;
    },
    { timeout: 60_000 },
  );
  return Date.now() + state.remaining_ms;
}

/** What keeps a root busy. */
const ALL_KINDS: [string, Step][] = [
  ['model', { hang: true }],
  ['code', withCode(`${bystander('code')}${LOOP}`)],
  ['deaf', withCode(`${bystander('deaf')}${DEAF}`)],
  ['prompt', withCode('llm_query_batched(["hang"] * 12)')],
  ['busy', withCode('import threading\nthreading.Thread(target=llm_query, args=("hang",)).start()\nwhile True: pass')],
];
const KINDS = sized(
  ALL_KINDS.filter(([kind]) => kind === 'deaf' || kind === 'prompt'),
  ALL_KINDS,
);

describe.concurrent('the global timeout', () => {
  it.each<[string, Step]>(KINDS)(
    'ends a run whose root is busy (%s) with its patch and its last known answer',
    async (run, step) => {
      const model = await world.startModel({
        scripts: [
          forTask(`busy with ${run}`, [EDIT, withCode('print("a first finding")'), step]),
          ({ messages }) => (messages.length === 1 ? { hang: true } : undefined),
        ],
      });
      const config = { rlm: { global_timeout: TIMEOUT } };
      const handle = await world.start({ id: run, prompt: `busy with ${run}`, model, config });
      const deadline = await deadlineOf(handle);
      const outcome: RunOutcome = await handle.result();
      expect(Date.now()).toBeLessThan(deadline + PROMISE * 1000);
      expect(outcome).toMatchObject({
        status: 'timed_out',
        answer: expect.stringContaining('a first finding'),
        error: 'The run reached its time limit of 6 s (rlm.global_timeout).',
        iterations: 3,
        sandboxes: 1,
      });
      expect((await world.patch(outcome)).toString()).toContain('+    return 22');
      await expectNothingLeft(run);
      await model.close();
    },
  );

  it('ends a whole tree, whatever each agent is at', async () => {
    const deep = withCode(`${bystander('tree')}print("deep in")\nrlm_query_batched(["at the model 3", "deaf code 4"])`);
    const model = await world.startModel({
      scripts: [
        forTask('five children', [
          EDIT,
          withCode('r = rlm_query_batched(["code 1", "deaf code 2", "at the model 1", "nimble", "with children"])'),
        ]),
        forTask(/at the model \d/, [{ hang: true }]),
        forTask(/deaf code \d/, [withCode(`${bystander('tree')}${DEAF}`)]),
        forTask(/code 1/, [withCode(`${bystander('tree')}${LOOP}`)]),
        forTask('nimble', [withCode('FINAL("done")')]),
        forTask('with children', [deep]),
      ],
    });
    const config = { rlm: { global_timeout: TREE_TIMEOUT } };
    const handle = await world.start({ id: 'tree', prompt: 'five children', model, config });
    const deadline = await deadlineOf(handle);
    const outcome: RunOutcome = await handle.result();
    expect(Date.now()).toBeLessThan(deadline + PROMISE * 1000);
    expect(outcome).toMatchObject({ status: 'timed_out', agents: 8, sandboxes: 8, max_depth: 2 });
    expect(outcome.answer).toContain('Edited pkg/b.py');
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await expectNothingLeft('tree');
    const agents = await world.agents('tree');
    expect(agents.map(({ agent, state, status }) => [agent, state, status])).toEqual([
      ['0', 'done', 'cancelled'],
      ['0.1', 'done', 'cancelled'],
      ['0.2', 'done', 'cancelled'],
      ['0.3', 'done', 'cancelled'],
      ['0.4', 'done', 'completed'],
      ['0.5', 'done', 'cancelled'],
      ['0.5.1', 'done', 'cancelled'],
      ['0.5.2', 'done', 'cancelled'],
    ]);
    await model.close();
  });

  it('stands still while the run is paused', async () => {
    const model = await world.startModel({
      scripts: forTask('be patient', [withCode('x = 1'), withCode('FINAL("in the end")')]),
      // Slow enough that the next turn is not begun in the same activity.
      latencyMs: 1100,
    });
    const config = { rlm: { global_timeout: TIMEOUT } };
    const handle = await world.start({ id: 'patient', prompt: 'be patient', model, config });
    await model.when(({ turn }) => turn === 0, 60_000);
    await handle.signal(pauseMessage, { reason: 'a person thinks' });
    const deadline = Date.now() + TIMEOUT * 1000;
    const readState = (): Promise<RunState> => handle.query<RunState>(statusQuery);
    const before = await readState();
    expect(before.status).toBe('paused');
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(deadline), { timeout: 60_000, interval: 100 });
    const after = await readState();
    expect(after).toMatchObject({ status: 'paused', reason: 'a person thinks', remaining_ms: before.remaining_ms });
    expect(model.count()).toBe(1);
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed', answer: 'in the end' });
    await model.close();
  });

  it('strikes after a pause as well, when what was left has passed', async () => {
    const model = await world.startModel({ scripts: forTask('stop and go', [EDIT, { hang: true }]) });
    const config = { rlm: { global_timeout: TIMEOUT } };
    const handle = await world.start({ id: 'stop-and-go', prompt: 'stop and go', model, config });
    await model.when(({ turn }) => turn === 1, 60_000);
    await handle.signal(pauseMessage);
    await handle.signal(resumeMessage);
    const outcome = await handle.result();
    expect(outcome).toMatchObject({ status: 'timed_out' });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await expectNothingLeft('stop-and-go');
    await model.close();
  });
});
