import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  pauseMessage,
  resumeMessage,
  statusQuery,
  type AgentStatusReply,
  type RunState,
} from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

/** What a person does to a run from outside: pause, resume, cancel, terminate, start again. */
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

/** Seconds in which a cancelled run has ended: promised by the program. */
const PROMISE = 10;
/** Milliseconds that a busy machine may need to get where a test wants it. */
const PATIENCE = 60_000;

/** Sub-agents that are started at once. */
const WORKERS = sized(6, 20);
const EDIT = withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))');
const DEAF = 'import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nllm_query("go")\nwhile True: pass';

const SLEEP = 'import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(1000)';

async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await work;
  expect(Date.now() - started).toBeLessThan(seconds * 1000);
  return result;
}

describe.concurrent('a cancelled run', () => {
  it('ends with its patch while the model is asked, also when cancelled twice', async () => {
    const model = await world.startModel({ scripts: forTask('cancel the model', [EDIT, { hang: true }]) });
    const handle = await world.start({ id: 'at-the-model', prompt: 'cancel the model', model });
    await model.when(({ turn }) => turn === 1, PATIENCE);
    await handle.cancel();
    await handle.cancel();
    const outcome = (await within(PROMISE, handle.result())) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'cancelled', answer: expect.stringContaining('Edited pkg/b.py') });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    expect(await world.leftovers('at-the-model')).toEqual([]);
    expect((await world.agents('at-the-model'))[0]).toMatchObject({ state: 'done', status: 'cancelled' });
    await model.close();
  });

  it('ends with its patch while code runs that does not listen', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('cancel the code', [EDIT, withCode(DEAF)]),
        ({ messages }) => (messages.length === 1 ? 'ok' : undefined),
      ],
    });
    const handle = await world.start({ id: 'in-code', prompt: 'cancel the code', model });
    await model.when(({ task, outcome }) => task === 'go' && outcome === 'answered', PATIENCE);
    await handle.cancel();
    const outcome = (await within(PROMISE, handle.result())) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'cancelled' });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    expect(await world.leftovers('in-code')).toEqual([]);
    await model.close();
  });

  it('ends while many sub-agents work', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('fan out', [EDIT, withCode(`r = rlm_query_batched([f"worker {i}" for i in range(${WORKERS})])`)]),
        ({ opening, turn }) => {
          const worker = /worker (\d+)/.exec(opening)?.[1];
          if (worker === undefined) return undefined;
          if (turn === 0) return withCode('print("begun", task)');
          return Number(worker) % 2 === 0 ? { hang: true } : withCode(SLEEP);
        },
      ],
    });
    const handle = await world.start({ id: 'fan-out', prompt: 'fan out', model });
    const second = new Set<string>();
    await model.when(({ task, turn, outcome }) => {
      if (task.includes('worker') && turn === 1 && outcome !== 'failed') second.add(task);
      return second.size === WORKERS;
    }, PATIENCE);
    await handle.cancel();
    const outcome = (await within(PROMISE, handle.result())) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'cancelled', agents: WORKERS + 1, sandboxes: WORKERS + 1 });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    expect(await world.leftovers('fan-out')).toEqual([]);
    const agents = await world.agents('fan-out');
    expect(agents.map(({ state, status }) => `${state} ${status}`)).toEqual(agents.map(() => 'done cancelled'));
    await model.close();
  });

  it('ends while its sub-agents are being started', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('start many', [withCode(`r = rlm_query_batched([f"newcomer {i}" for i in range(${WORKERS})])`)]),
        ({ opening }) => (opening.includes('newcomer') ? { hang: true } : undefined),
      ],
    });
    const handle = await world.start({ id: 'newcomers', prompt: 'start many', model });
    await model.when(({ task }) => task.includes('newcomer'), PATIENCE);
    await handle.cancel();
    expect(await within(PROMISE, handle.result())).toMatchObject({ status: 'cancelled' });
    expect(await world.leftovers('newcomers')).toEqual([]);
    await model.close();
  });

  it('ends before it has begun, and while its sandbox is being made', async () => {
    const model = await world.startModel({ scripts: [() => ({ hang: true })] });
    const early = await world.start({ id: 'early', prompt: 'early', model });
    await early.cancel();
    await within(
      PROMISE,
      early.result().catch(() => undefined),
    );
    expect((await early.describe()).status.name).toBe('CANCELLED');
    expect(await world.leftovers('early')).toEqual([]);
    const making = await world.start({ id: 'making', prompt: 'making', model });
    await model.when(({ outcome }) => outcome === 'pending', PATIENCE);
    await making.cancel();
    expect(await within(PROMISE, making.result())).toMatchObject({ status: 'cancelled', patch_ref: null });
    expect(await world.leftovers('making')).toEqual([]);
    await model.close();
  });

  it('ends while its repository is looked up', async () => {
    let asked!: () => void;
    const connected = new Promise<void>((resolve) => (asked = resolve));
    const silent: Server = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      asked();
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const model = await world.startModel({ scripts: [] });
    const repo = `http://127.0.0.1:${port}/silent.git`;
    const handle = await world.start({ id: 'preparing', prompt: 'x', model, repo });
    await connected;
    await handle.cancel();
    await within(
      PROMISE,
      handle.result().catch(() => undefined),
    );
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(await handle.query<RunState>(statusQuery)).toMatchObject({ status: 'cancelled', reason: null });
    await model.close();
    await vi.waitFor(
      async () => expect(await new Promise((resolve) => silent.getConnections((_, count) => resolve(count)))).toBe(0),
      { timeout: 10_000 },
    );
    await new Promise((resolve) => silent.close(resolve));
  });

  it('ends while it is paused', async () => {
    const model = await world.startModel({ scripts: forTask('pause and cancel', [EDIT, { error: { status: 401 } }]) });
    const handle = await world.start({ id: 'paused', prompt: 'pause and cancel', model });
    await vi.waitFor(
      async () => expect(await handle.query<RunState>(statusQuery)).toMatchObject({ status: 'paused' }),
      { timeout: PATIENCE },
    );
    await handle.cancel();
    const outcome = (await within(PROMISE, handle.result())) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'cancelled' });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    expect(await world.leftovers('paused')).toEqual([]);
    await model.close();
  });
});

describe.concurrent('a paused run', () => {
  it('asks no model and begins no code until it is resumed, its sub-agents neither', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const model = await world.startModel({
      scripts: [
        forTask('hold on', [withCode('FINAL(rlm_query_batched(["member 0", "member 1", "member 2"]))')]),
        forTask(/member \d/, [() => held.then(() => withCode('x = task')), withCode('FINAL(x)')]),
      ],
    });
    const handle = await world.start({ id: 'hold', prompt: 'hold on', model });
    let asked = 0;
    await model.when(({ task, outcome }) => {
      if (task.includes('member') && outcome === 'pending') asked += 1;
      return asked === 3;
    }, PATIENCE);
    await handle.signal(pauseMessage);
    const members = ['hold/0.1', 'hold/0.2', 'hold/0.3'].map((id) => world.client.workflow.getHandle(id));
    await vi.waitFor(
      async () => {
        const states = await Promise.all(members.map((member) => member.query<AgentStatusReply>(statusQuery)));
        expect(states.map(({ state }) => state)).toEqual(['paused', 'paused', 'paused']);
      },
      { timeout: PATIENCE },
    );
    release();
    const waiting = async (): Promise<void> => {
      const agents = await world.agents('hold');
      // Their replies are recorded; nothing of the code in them has begun.
      const replied = agents.filter(({ agent, state }) => agent !== '0' && state === 'running').length;
      expect(replied).toBe(3);
    };
    await vi.waitFor(waiting, { timeout: PATIENCE });
    expect(model.count()).toBe(4);
    await handle.signal(resumeMessage);
    const outcome = (await handle.result()) as RunOutcome;
    expect(await world.answer(outcome)).toEqual(['member 0', 'member 1', 'member 2']);
    await model.close();
  });
});

describe.concurrent('a message to an agent', () => {
  it('is shown to its model at the next iteration, is kept in its trajectory, and goes to no other', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const heard = ({ messages }: { messages: readonly { content: string }[] }): string =>
      withCode(`FINAL(${JSON.stringify(messages.at(-1)?.content ?? '')})`);
    const model = await world.startModel({
      scripts: [
        forTask('steer me', [withCode('r = rlm_query("helper")'), withCode('FINAL(r)')]),
        forTask('helper', [() => held.then(() => withCode('x = 1')), heard]),
      ],
    });
    const handle = await world.start({ id: 'steered', prompt: 'steer me', model });
    await model.when(({ task, outcome }) => task.includes('helper') && outcome === 'pending', PATIENCE);
    await handle.signal('steer', { agent: '0.1', message: 'look at pkg/b.py too' });
    release();
    const outcome = (await handle.result()) as RunOutcome;
    expect(await world.answer(outcome)).toContain('A message from the person you work for');
    expect(await world.answer(outcome)).toContain('look at pkg/b.py too');
    const heads = (await world.agents('steered')).map(({ head }) => head);
    const kinds = await Promise.all(heads.map(async (head) => (await world.chains.walk(head)).map(({ kind }) => kind)));
    expect(kinds.map((all) => all.filter((kind) => kind === 'steer').length)).toEqual([0, 1]);
    await model.close();
  });
});

describe.concurrent('a terminated run', () => {
  it('leaves nothing: its agents are cancelled and clean up', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('terminate me', [EDIT, withCode('r = rlm_query_batched([f"orphan {i}" for i in range(4)])')]),
        ({ opening }) => (opening.includes('orphan') ? { hang: true } : undefined),
      ],
    });
    const handle = await world.start({ id: 'terminated', prompt: 'terminate me', model });
    const orphans = new Set<string>();
    await model.when(({ task }) => task.includes('orphan') && orphans.add(task).size === 4, PATIENCE);
    await handle.terminate('by a test');
    await vi.waitFor(async () => expect(await world.leftovers('terminated')).toEqual([]), {
      timeout: PATIENCE,
      interval: 200,
    });
    const agents = await world.agents('terminated');
    expect(agents.map(({ state, status }) => `${state} ${status}`)).toEqual(agents.map(() => 'done cancelled'));
    await model.close();
  });

  it('can be started again under its id at once; nothing of the first is in the second', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('first try', [
          EDIT,
          withCode('x = "of the first"\nr = rlm_query_batched(["sluggish one", "sluggish two"])'),
        ]),
        forTask('sluggish', [{ hang: true }]),
        forTask('second try', [withCode('r = rlm_query("nimble")'), withCode('FINAL([r, "x" in globals()])')]),
        forTask('nimble', [withCode('FINAL(task)')]),
      ],
    });
    const first = await world.start({ id: 'again', prompt: 'first try', model });
    await model.when(({ task }) => task.includes('sluggish two'), PATIENCE);
    await first.terminate('by a test');
    const outcome = await world.run({ id: 'again', prompt: 'second try', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: '["nimble",false]', patch_ref: null, agents: 2 });
    await vi.waitFor(async () => expect(await world.leftovers('again')).toEqual([]), { timeout: PATIENCE });
    await model.close();
  });
});

describe('a root agent that is terminated', () => {
  it('ends its run with what it had recorded', async () => {
    const model = await world.startModel({
      scripts: forTask('cut off my head', [withCode('print("a first finding")'), { hang: true }]),
    });
    const handle = await world.start({ id: 'headless', prompt: 'cut off my head', model });
    await model.when(({ turn }) => turn === 1, PATIENCE);
    await world.client.workflow.getHandle('headless/0').terminate('by a test');
    const outcome: RunOutcome = await handle.result();
    expect(outcome).toMatchObject({
      status: 'failed',
      error: 'Agent.Terminated: The root agent was terminated.',
      answer: expect.stringContaining('a first finding'),
      iterations: 2,
      agents: 1,
      usage: { llm_calls: 1 },
    });
    // Nobody was left to remove its sandbox: the sweep of the next worker that starts does.
    await world.startWorker();
    await vi.waitFor(async () => expect(await world.leftovers('headless')).toEqual([]), { timeout: PATIENCE });
    await model.close();
  });
});

describe('an id used again', () => {
  it('keeps the data of both executions apart', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('odd execution', [EDIT, withCode('FINAL(llm_query("q"))')]),
        forTask('even execution', [withCode('print(open("pkg/b.py").read())'), withCode('FINAL(llm_query("q"))')]),
        ({ messages, askedBefore }) => (messages.length === 1 ? `answer ${askedBefore}` : undefined),
      ],
    });
    const outcomes: RunOutcome[] = [];
    for (const prompt of ['odd execution', 'even execution', 'odd execution', 'even execution']) {
      // oxlint-disable-next-line no-await-in-loop -- one after another is the point
      outcomes.push(await world.run({ id: 'reused', prompt, model }));
    }
    expect(outcomes.map(({ status, answer }) => [status, answer])).toEqual(
      [0, 1, 2, 3].map((index) => ['completed', `answer ${index}`]),
    );
    expect(outcomes.map(({ patch_ref }) => patch_ref !== null)).toEqual([true, false, true, false]);
    expect(await world.agents('reused')).toHaveLength(4);
    await model.close();
  });
});
