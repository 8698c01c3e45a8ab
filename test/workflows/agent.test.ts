import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Worker, type NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { RlmConfig } from '../../src/domain/config.ts';
import {
  blockedSignal,
  grantedSignal,
  pauseMessage,
  reserveSignal,
  resumeMessage,
  setBudgetMessage,
  settleSignal,
  spentQuery,
  statusQuery,
  type RunState,
} from '../../src/domain/messages.ts';
import type { PendingCall, RunOutcome } from '../../src/domain/records.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import {
  activitiesByRun,
  code,
  failure,
  fakeActivities,
  text,
  untilCancelled,
  type AgentScript,
  type FakeRun,
} from './fake-activities.ts';

vi.setConfig({ testTimeout: 60_000 });

/** The workflows on a real server, with activities that are scripted: every transition of the loop. */
let folder: string;
let server: DevServer;
let temporal: TemporalConnection;
let native: NativeConnection;
let worker: Worker;
let ending: Promise<void>;
let runs = 0;
/** What the runs' activities do, by run. */
const fakes = new Map<string, FakeRun>();
const TASK_QUEUE = 'workflows';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-workflows-'));
  await installRuntime();
  const logger = new DefaultLogger('WARN');
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const [started, workflowBundle] = await Promise.all([
    startOrAttachDevServer({ stateDirectory: folder, cacheDirectory: cacheDirectory(process.env) }),
    bundleWorkflowCode({ workflowsPath, logger }),
  ]);
  server = started;
  temporal = await connect(embeddedTarget(server));
  native = await temporal.connectWorker();
  const activities = activitiesByRun(fakes);
  worker = await Worker.create({ connection: native, taskQueue: TASK_QUEUE, workflowBundle, activities });
  ending = worker.run();
});
afterAll(async () => {
  worker?.shutdown();
  await ending;
  await native?.close();
  await temporal?.close();
  await server?.release({ wait: true });
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly fake: FakeRun;
  readonly handle: WorkflowHandle;
  readonly outcome: () => Promise<RunOutcome>;
}

/** Runs `investigate` with these agents, and looks at the end that every step was asked for. */
async function withRun(
  agents: Readonly<Record<string, AgentScript>>,
  limits: Partial<RlmConfig>,
  act: (started: Started) => Promise<void>,
): Promise<void> {
  runs += 1;
  const id = `run-${runs}`;
  const fake = fakeActivities(agents, limits);
  fakes.set(id, fake);
  const handle = await temporal.client.workflow.start('investigate', {
    workflowId: id,
    taskQueue: TASK_QUEUE,
    args: [{ repo: 'r', prompt: 'p' }],
  });
  await act({ fake, handle, outcome: () => handle.result() as Promise<RunOutcome> });
  expect(fake.left()).toEqual([]);
}

async function outcomeOf(
  agents: Readonly<Record<string, AgentScript>>,
  limits: Partial<RlmConfig> = {},
): Promise<{ outcome: RunOutcome; fake: FakeRun }> {
  const { promise, resolve } = Promise.withResolvers<{ outcome: RunOutcome; fake: FakeRun }>();
  await withRun(agents, limits, async ({ fake, outcome }) => resolve({ outcome: await outcome(), fake }));
  return promise;
}

const FINAL = { kind: 'final', head: 'final' } as const;
const call = (id: string, name = 'llm_query', batch?: number): PendingCall => ({
  call: id,
  function: name,
  request: `request-${id}`,
  ...(batch === undefined ? {} : { batch }),
});

describe('the loop of an agent', () => {
  it('asks, runs, and ends with FINAL; the sandbox is created once, beside the first call', async () => {
    const { outcome, fake } = await outcomeOf({
      0: { callModel: [code('r1'), code('r2')], runCode: [{ kind: 'done', head: 'b1' }, FINAL] },
    });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'an answer', iterations: 2, agents: 1, sandboxes: 1 });
    expect(outcome.usage.llm_calls).toBe(2);
    expect(fake.called.filter((name) => name.startsWith('createSandbox'))).toHaveLength(1);
    expect(fake.inputs.callModel?.map(({ head }) => head)).toEqual([undefined, 'b1']);
    expect(fake.inputs.runCode?.map(({ head, sandbox }) => [head, sandbox])).toEqual([
      ['r1', 'local:0:sandbox-0'],
      ['r2', 'local:0:sandbox-0'],
    ]);
    expect(fake.called.at(-1)).toBe('finishAgent 0 completed final');
  });

  it('takes the third reply without code in a row as the answer', async () => {
    const { outcome, fake } = await outcomeOf({ 0: { callModel: [text('t1', 1), text('t2', 2), text('t3', 3)] } });
    expect(outcome).toMatchObject({ status: 'completed', iterations: 3 });
    expect(fake.called.at(-1)).toBe('finishAgent 0 completed text');
  });

  it('asks for the final answer when the third is empty, when the iterations are used up, and when the context is full', async () => {
    const answer = {
      kind: 'answer',
      head: 'a',
      usage: { input_tokens: 0, output_tokens: 0, cost: 0, llm_calls: 1 },
    } as const;
    const empty = await outcomeOf({ 0: { callModel: [text('t1', 1), text('t2', 2), text('t3', 3, true), answer] } });
    const used = await outcomeOf(
      { 0: { callModel: [code('r1'), answer], runCode: [{ kind: 'done', head: 'b1' }] } },
      { max_iterations: 1 },
    );
    const full = await outcomeOf({ 0: { callModel: [{ kind: 'context_length' }, answer] } });
    for (const { outcome, fake } of [empty, used, full]) {
      expect(outcome.status).toBe('completed');
      expect(fake.inputs.callModel?.at(-1)).toMatchObject({ purpose: 'final_answer' });
      expect(fake.called.at(-1)).toBe('finishAgent 0 completed final_answer');
    }
  });

  it('asks again for a reply that was cut off, and for a final answer that does not fit, three times at most', async () => {
    const usage = { input_tokens: 0, output_tokens: 0, cost: 0, llm_calls: 1 };
    const invalid = { kind: 'invalid', head: 'i', usage } as const;
    const { outcome } = await outcomeOf(
      { 0: { callModel: [{ kind: 'truncated', head: 'c', usage }, invalid, invalid, invalid] } },
      { max_iterations: 1 },
    );
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('3 final answers could not be used'),
    });
  });

  it('answers calls as they come, in any order, and lets the block continue with each', async () => {
    let answered = 0;
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: ({ head, answers = [] }) => {
          answered += answers.length;
          const calls = head === 'r1' ? [call('1.1'), call('1.2', 'search')] : [];
          return answered === 2 ? FINAL : { kind: 'calls', head: 'c1', calls, waiting: true };
        },
      },
    });
    expect(outcome.status).toBe('completed');
    const delivered = fake.inputs.runCode?.flatMap(({ answers = [] }) => answers) ?? [];
    expect(delivered.toSorted((a, b) => (a.call < b.call ? -1 : 1))).toEqual([
      { call: '1.1', answer: { ref: 'answer-0' } },
      { call: '1.2', answer: { ref: 'tool-answer' } },
    ]);
  });

  it('looks again at code that computes while it has calls open, without an answer', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [
          { kind: 'calls', head: 'c1', calls: [call('1.1', 'rlm_query')], waiting: false },
          () => {
            gate.resolve(undefined);
            return { kind: 'calls', head: 'c1', calls: [], waiting: true };
          },
          FINAL,
        ],
      },
      '0.1': {
        callModel: [() => gate.promise.then(() => code('s1'))],
        runCode: [FINAL],
      },
    });
    expect(
      fake.inputs.runCode?.filter(({ sandbox }) => sandbox.endsWith('-0')).map(({ answers }) => answers?.length ?? 0),
    ).toEqual([0, 0, 1]);
  });

  it('cancels calls that are open when the code ends without them', async () => {
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [{ kind: 'calls', head: 'c1', calls: [call('1.1', 'rlm_query')], waiting: false }, FINAL],
      },
      '0.1': { callModel: [untilCancelled] },
    });
    expect(outcome).toMatchObject({ status: 'completed', agents: 2 });
    expect(fake.called).toContain('finishAgent 0.1 cancelled partial');
  });
});

describe('a sandbox', () => {
  it('that is lost is rebuilt, and the code runs again with the same answers', async () => {
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [
          { kind: 'calls', head: 'c1', calls: [call('1.1')], waiting: true },
          failure('Sandbox.Lost', 'It is gone.'),
          FINAL,
        ],
      },
    });
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 2 });
    const [, second, third] = fake.inputs.runCode ?? [];
    expect(second).toMatchObject({ sandbox: 'local:0:sandbox-0', head: 'c1' });
    expect(third).toMatchObject({ sandbox: 'local:1:sandbox-0', head: 'c1', answers: second?.answers });
  });

  it('that is lost twice while the same code begins fails its agent', async () => {
    const lost = failure('Sandbox.Lost', 'It is gone.');
    const { outcome } = await outcomeOf({ 0: { callModel: [code('r1')], runCode: [lost, lost] } });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('lost twice while the code of iteration 1'),
    });
  });

  it('that was evicted is rebuilt when the answers are there, and does not count', async () => {
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [{ kind: 'evicted', head: 'c1', calls: [call('1.1'), call('1.2')] }, FINAL],
      },
    });
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 1 });
    expect(fake.called).toContain('rebuildSandbox 0 evicted');
    const last = fake.inputs.runCode?.at(-1);
    expect(last?.pinned).toBe(true);
    expect(last?.answers?.map((each) => each.call).toSorted()).toEqual(['1.1', '1.2']);
  });

  it('whose interpreter was ended by its code is rebuilt for the next turn', async () => {
    const { outcome, fake } = await outcomeOf({
      0: { callModel: [code('r1'), code('r2')], runCode: [{ kind: 'crashed', head: 'b1' }, FINAL] },
    });
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 2 });
    expect(fake.inputs.runCode?.at(-1)).toMatchObject({ sandbox: 'local:1:sandbox-0' });
  });

  it('that cannot be created fails its agent, after the reply is recorded', async () => {
    const { outcome, fake } = await outcomeOf({
      0: { callModel: [code('r1')], createSandbox: failure('Sandbox.Unavailable', 'bubblewrap is missing') },
    });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: 'Sandbox.Unavailable: bubblewrap is missing',
      sandboxes: 0,
    });
    expect(fake.inputs.finishAgent?.[0]).not.toHaveProperty('sandbox');
  });

  it('lost before its patch is rebuilt for it', async () => {
    let finished = 0;
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [FINAL],
        finishAgent: () => {
          finished += 1;
          if (finished === 1) throw failure('Sandbox.Lost', 'It is gone.');
          return { answer_ref: 'a', patch_ref: 'p' };
        },
      },
    });
    expect(outcome).toMatchObject({ status: 'completed', patch_ref: 'p' });
    expect(fake.inputs.finishAgent?.map(({ sandbox }) => sandbox)).toEqual(['local:0:sandbox-0', 'local:1:sandbox-0']);
  });
});

describe('a run', () => {
  it('that a provider refuses for good pauses, and continues with the same question when it is resumed', async () => {
    const refused = failure('Model.Refused', 'The key was refused.');
    await withRun(
      { 0: { callModel: [refused, code('r1')], runCode: [FINAL] } },
      {},
      async ({ handle, outcome, fake }) => {
        await vi.waitFor(async () => {
          const state = await handle.query<RunState>(statusQuery);
          expect(state).toMatchObject({
            status: 'paused',
            reason: 'agent 0: The key was refused.',
            failure: 'Model.Refused',
          });
        }, 20_000);
        await handle.signal(resumeMessage, {});
        expect(await outcome()).toMatchObject({ status: 'completed', iterations: 1 });
        expect(fake.inputs.callModel?.map(({ head }) => head)).toEqual([undefined, undefined]);
      },
    );
  });

  it('that is to fail on such a refusal ends with what it has', async () => {
    const refused = failure('Model.Refused', 'The key was refused.');
    const { outcome, fake } = await outcomeOf({ 0: { callModel: [refused] } }, { on_error: 'fail' });
    expect(outcome).toMatchObject({ status: 'failed', error: 'Model.Refused: The key was refused.' });
    expect(fake.called.at(-1)).toBe('finishAgent 0 failed partial');
  });

  it('that is paused begins nothing; its sub-agents pause too', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    await withRun(
      {
        0: {
          callModel: [code('r1')],
          runCode: [{ kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query')], waiting: true }, FINAL],
        },
        '0.1': {
          callModel: [
            async () => {
              asked.resolve(undefined);
              await answer.promise;
              return code('s1');
            },
            code('s2'),
          ],
          runCode: [{ kind: 'done', head: 'sb1' }, FINAL],
        },
      },
      {},
      async ({ handle, outcome, fake }) => {
        await asked.promise;
        await handle.signal(pauseMessage, {});
        const child = temporal.client.workflow.getHandle(`${handle.workflowId}/0.1`);
        await vi.waitFor(async () => expect(await child.query(statusQuery)).toMatchObject({ state: 'paused' }), 20_000);
        answer.resolve(undefined);
        await vi.waitFor(async () => expect(await child.query(statusQuery)).toMatchObject({ head: 's1' }), 20_000);
        expect(fake.called.filter((name) => name.includes(' 0.1')).toSorted()).toEqual([
          'callModel 0.1 turn',
          'createSandbox 0.1',
        ]);
        await handle.signal(resumeMessage, {});
        expect(await outcome()).toMatchObject({ status: 'completed', agents: 2 });
      },
    );
  });

  it('applies a message with an id once, however often it is sent', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    await withRun(
      {
        0: {
          callModel: [
            async () => {
              asked.resolve(undefined);
              await answer.promise;
              return code('r1');
            },
          ],
          runCode: [FINAL],
        },
      },
      {},
      async ({ handle, outcome }) => {
        const state = (): Promise<RunState> => handle.query<RunState>(statusQuery);
        await asked.promise;
        await handle.signal(pauseMessage, { id: 'pause', reason: 'to look at it' });
        expect(await state()).toMatchObject({ status: 'paused', reason: 'to look at it', failure: null });
        await handle.signal(resumeMessage, { id: 'resume' });
        await handle.signal(pauseMessage, { id: 'pause' });
        expect(await state()).toMatchObject({ status: 'running' });
        await handle.signal(pauseMessage, { id: 'another pause' });
        await handle.signal(resumeMessage, { id: 'resume' });
        expect(await state()).toMatchObject({ status: 'paused' });
        await handle.signal(resumeMessage, {});

        const budget = temporal.client.workflow.getHandle(`${handle.workflowId}/budget`);
        const limits = async (): Promise<unknown> => (await budget.query<{ limits: unknown }>(spentQuery)).limits;
        const grant = 'of the user';
        await handle.signal(setBudgetMessage, { id: 'more', max_sandboxes: 60, grant });
        await handle.signal(setBudgetMessage, { id: 'still more', max_sandboxes: 70, grant });
        await handle.signal(setBudgetMessage, { id: 'more', max_sandboxes: 60, grant });
        await handle.signal(setBudgetMessage, { id: 'prompts', max_llm_calls: 7 });
        await vi.waitFor(async () => expect(await limits()).toMatchObject({ max_llm_calls: 7 }), 20_000);
        expect(await limits()).toMatchObject({ max_sandboxes: 70 });
        // Of anybody's message what is above the limits that the run began with does not count, whoever is sent it.
        for (const to of [handle, budget]) {
          await to.signal(setBudgetMessage, { max_sandboxes: 5000, max_llm_calls: 6 });
          await to.signal(setBudgetMessage, { max_llm_calls: 5000, grant: 'copied' });
          await vi.waitFor(async () => expect(await limits()).toMatchObject({ max_llm_calls: 500 }), 20_000);
          expect(await limits()).toMatchObject({ max_sandboxes: 70 });
        }
        // What is no message at all changes and breaks nothing.
        const root = temporal.client.workflow.getHandle(`${handle.workflowId}/0`);
        for (const junk of [undefined, null, 'text', 5, [], {}]) {
          for (const name of [blockedSignal, setBudgetMessage]) await handle.signal(name, junk);
          for (const name of [reserveSignal, settleSignal, setBudgetMessage]) await budget.signal(name, junk);
          await root.signal(grantedSignal, junk);
        }
        expect(await state()).toMatchObject({ status: 'running' });
        answer.resolve(undefined);
        expect(await outcome()).toMatchObject({ status: 'completed' });
      },
    );
  });

  it('that is cancelled cancels its agents, which record what they have', async () => {
    const asked = Promise.withResolvers<undefined>();
    await withRun(
      {
        0: {
          callModel: [code('r1')],
          runCode: [{ kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query')], waiting: true }],
        },
        '0.1': {
          callModel: [
            async () => {
              asked.resolve(undefined);
              return untilCancelled();
            },
          ],
        },
      },
      {},
      async ({ handle, outcome, fake }) => {
        await asked.promise;
        await handle.cancel();
        expect(await outcome()).toMatchObject({ status: 'cancelled', agents: 2 });
        expect(fake.called).toEqual(
          expect.arrayContaining(['finishAgent 0 cancelled partial', 'finishAgent 0.1 cancelled partial']),
        );
      },
    );
  });

  it('at its deadline ends as timed out, with what it has', async () => {
    const { outcome, fake } = await outcomeOf({ 0: { callModel: [untilCancelled] } }, { global_timeout: 1 });
    expect(outcome).toMatchObject({ status: 'timed_out', answer: 'an answer' });
    expect(fake.called.at(-1)).toBe('finishAgent 0 cancelled partial');
  });

  it('hands the failure of a sub-agent to the code that started it, and continues', async () => {
    const { outcome, fake } = await outcomeOf({
      0: {
        callModel: [code('r1')],
        runCode: [{ kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query_batched', 2)], waiting: true }, FINAL],
      },
      '0.1': { callModel: [failure('Model.BadRequest', 'no such model')], finishAgent: {} },
      '0.2': { callModel: [code('s1')], runCode: [FINAL] },
    });
    expect(outcome).toMatchObject({ status: 'completed', agents: 3 });
    expect(fake.inputs.runCode?.find(({ answers }) => answers !== undefined)?.answers).toEqual([
      {
        call: '1.1',
        answer: {
          items: [
            { error: expect.stringContaining('Model.BadRequest: no such model') },
            { ref: 'answer-of-0.2', child: '0.2' },
          ],
        },
      },
    ]);
  });
});
