import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { activityInfo } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { temporal as api } from '@temporalio/proto';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { RlmConfig } from '../../src/domain/config.ts';
import {
  blockedSignal,
  configureMessage,
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
import type { Activities } from '../../src/domain/contract.ts';
import type { PendingCall, RunOutcome } from '../../src/domain/records.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { sized } from '../sizes.ts';
import {
  activitiesByRun,
  code,
  failure,
  fakeActivities,
  text,
  untilCancelled,
  type AgentScript,
  type FakeRun,
  USED,
} from './fake-activities.ts';

vi.setConfig({ testTimeout: 60_000 });

/** The workflows on a real server, with activities that are scripted: every transition of the loop. */
type WorkflowMetadata = api.api.sdk.v1.IWorkflowMetadata;

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
  // What the whole series has brought up to date.
  const workflowBundle = { codePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)) };
  server = await startOrAttachDevServer({ stateDirectory: folder, cacheDirectory: cacheDirectory(process.env) });
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
  own: Parameters<typeof fakeActivities>[2] = {},
): Promise<void> {
  runs += 1;
  const id = `run-${runs}`;
  const fake = fakeActivities(agents, limits, own);
  fakes.set(id, fake);
  const handle = await temporal.client.workflow.start('investigate', {
    workflowId: id,
    taskQueue: TASK_QUEUE,
    args: [{ repo: 'r', prompt: 'p' }],
  });
  const outcome = async (): Promise<RunOutcome> => {
    await handle.result().catch(() => undefined);
    const [recorded] = fake.inputs.recordOutcome ?? [];
    if (recorded === undefined) throw new Error('the run has recorded no outcome');
    return recorded.outcome;
  };
  await act({ fake, handle, outcome });
  expect(fake.left()).toEqual([]);
}

async function outcomeOf(
  agents: Readonly<Record<string, AgentScript>>,
  limits: Partial<RlmConfig> = {},
  own: Parameters<typeof fakeActivities>[2] = {},
): Promise<{ outcome: RunOutcome; fake: FakeRun }> {
  const { promise, resolve } = Promise.withResolvers<{ outcome: RunOutcome; fake: FakeRun }>();
  await withRun(agents, limits, async ({ fake, outcome }) => resolve({ outcome: await outcome(), fake }), own);
  return promise;
}

/** By what follows the id of the run. */
async function closeStatuses(run: string): Promise<Record<string, string>> {
  const statuses: Record<string, string> = {};
  for (const part of ['', '/0', '/0.1', '/budget']) {
    const handle = temporal.client.workflow.getHandle(`${run}${part}`);
    const description = await handle.describe().catch(() => undefined);
    if (description !== undefined) statuses[part] = description.status.name;
  }
  return statuses;
}

/** Why a workflow that is started so fails, before any activity. */
async function refusal(
  type: string,
  options: { readonly args: unknown[]; readonly cronSchedule?: string },
): Promise<unknown> {
  runs += 1;
  const id = `refused-${runs}`;
  const { cronSchedule, args } = options;
  const handle = await temporal.client.workflow.start(type, {
    workflowId: id,
    taskQueue: TASK_QUEUE,
    args,
    ...(cronSchedule === undefined ? {} : { cronSchedule }),
  });
  if (cronSchedule === undefined) return failureOf(handle);
  // The next execution follows, and is refused as well.
  const { workflow } = temporal.client;
  const first = workflow.getHandle(id, handle.firstExecutionRunId, { followRuns: false });
  await first.result().catch(() => undefined);
  await workflow.getHandle(id).terminate();
  return (await first.fetchHistory()).events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
}

async function failureOf(handle: WorkflowHandle): Promise<unknown> {
  const error: unknown = await handle.result().catch((reason: unknown) => reason);
  return error instanceof WorkflowFailedError ? error.cause : error;
}

const FINAL = { kind: 'final', head: 'final' } as const;
const call = (id: string, name = 'llm_query', batch?: number): PendingCall => ({
  call: id,
  function: name,
  request: `request-${id}`,
  ...(batch === undefined ? {} : { batch }),
});

describe('the loop of an agent', { concurrent: true }, () => {
  it('has at most 500 activities open that answer prompts, however many calls its code makes', async () => {
    const released = Promise.withResolvers<void>();
    const calls = [1, 2, 3].map((place) => call(`1.${place}`, 'llm_query_batched', 300));
    await withRun(
      { 0: { callModel: [code('r1')], runCode: [{ kind: 'calls', head: 'c', calls, waiting: true }, FINAL] } },
      { prompts_per_activity: 1, max_llm_calls: 900 },
      async ({ handle, outcome }) => {
        const root = temporal.client.workflow.getHandle(`${handle.workflowId}/0`);
        const open = async (): Promise<number> =>
          (await root.describe().catch(() => undefined))?.raw.pendingActivities?.length ?? 0;
        await vi.waitUntil(async () => (await open()) >= 500, { timeout: 30_000 });
        expect(await open()).toBe(500);
        released.resolve();
        expect((await outcome()).status).toBe('completed');
      },
      {
        answerPrompts: async () => {
          await released.promise;
          return { answers: [{ ref: 'answer' }] };
        },
      },
    );
  });

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

describe('a sandbox', { concurrent: true }, () => {
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

  it.each([
    { what: 'does not count', losses: 1, sandboxes: 1, rebuilt: ['evicted'] },
    { what: 'counts when it is lost after that', losses: 2, sandboxes: 2, rebuilt: ['evicted', 'lost'] },
  ])('that ended itself because nobody renewed it is rebuilt, and $what', async ({ losses, sandboxes, rebuilt }) => {
    const lost = Array.from({ length: losses }, () => failure('Sandbox.Lost', 'It is gone.'));
    const { outcome, fake } = await outcomeOf(
      {
        0: {
          callModel: [code('r1')],
          runCode: [{ kind: 'calls', head: 'c1', calls: [call('1.1')], waiting: true }, ...lost, FINAL],
        },
      },
      {},
      {
        idle_timeout: 1,
        answerPrompts: async () => {
          await new Promise((resolve) => setTimeout(resolve, 1500));
          return { answers: [{ ref: 'late' }] };
        },
      },
    );
    expect(outcome).toMatchObject({ status: 'completed', sandboxes });
    expect(fake.called.filter((each) => each.startsWith('rebuildSandbox'))).toEqual(
      rebuilt.map((cause) => `rebuildSandbox 0 ${cause}`),
    );
  });

  it('that may not be rebuilt costs nothing of the budget', async () => {
    const spent = async (): Promise<unknown> => {
      const { workflowExecution } = activityInfo();
      const run = workflowExecution?.workflowId.split('/')[0] ?? '';
      return temporal.client.workflow.getHandle(`${run}/budget`).query(spentQuery);
    };
    let used: unknown;
    const { outcome } = await outcomeOf({
      0: {
        callModel: [code('r1'), code('r2'), code('r3')],
        runCode: [
          { kind: 'crashed', head: 'b1' },
          { kind: 'crashed', head: 'b2' },
          async () => {
            used = await spent();
            return FINAL;
          },
        ],
        rebuildSandbox: { kind: 'refused', reason: 'The sandbox was lost once (sandbox.max_rebuilds: 0).' },
      },
    });
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 1 });
    expect(used).toMatchObject({ used: { sandboxes: 1 } });
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

  it('that cannot be created while the blob store is away pauses the run, and is created when it is resumed', async () => {
    let asked = 0;
    const createSandbox = (): string => {
      asked += 1;
      if (asked === 1) throw failure('Storage.Unavailable', 'The blob store is away.');
      return 'local:0:sandbox-0';
    };
    await withRun(
      { 0: { callModel: [code('r1')], runCode: [FINAL], createSandbox } },
      {},
      async ({ handle, outcome }) => {
        const paused = { status: 'paused', reason: expect.stringContaining('The blob store is away.') };
        await vi.waitFor(async () => expect(await handle.query<RunState>(statusQuery)).toMatchObject(paused), 30_000);
        await handle.signal(resumeMessage);
        expect(await outcome()).toMatchObject({ status: 'completed', sandboxes: 1 });
      },
    );
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

describe('a run', { concurrent: true }, () => {
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
        for (const junk of [undefined, null, 'text', 5, [], {}, { constructor: 1 }]) {
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

  it('that is paused and resumed again at once leaves no agent paused, however often', async () => {
    const CHILDREN = 8;
    const answer = Promise.withResolvers<undefined>();
    const ids = Array.from({ length: CHILDREN }, (_, index) => `0.${index + 1}`);
    const asked = new Set<string>();
    const child = (id: string): AgentScript => ({
      callModel: [
        async () => {
          asked.add(id);
          await answer.promise;
          return code('s1');
        },
      ],
      runCode: [FINAL],
    });
    const calls = [call('1.1', 'rlm_query_batched', CHILDREN)];
    const root = {
      callModel: [code('r1')],
      runCode: [{ kind: 'calls', head: 'c', calls, waiting: true }, FINAL] as const,
    };
    await withRun(
      { 0: root, ...Object.fromEntries(ids.map((id) => [id, child(id)])) },
      {},
      async ({ handle, outcome }) => {
        const ofAgent = (id: string) => temporal.client.workflow.getHandle(`${handle.workflowId}/${id}`);
        await vi.waitFor(() => expect(asked.size).toBe(CHILDREN), 20_000);
        for (let round = 0; round < sized(15, 150); round += 1) {
          await Promise.all([handle.signal(pauseMessage, {}), handle.signal(resumeMessage, {})]);
          await handle.signal(pauseMessage, {});
          await handle.signal(resumeMessage, {});
          await vi.waitFor(async () => {
            const states = await Promise.all(
              ['0', ...ids].map((id) => ofAgent(id).query<{ state: string }>(statusQuery)),
            );
            expect(states.filter(({ state }) => state === 'paused')).toEqual([]);
          }, 10_000);
        }
        answer.resolve(undefined);
        expect(await outcome()).toMatchObject({ status: 'completed', agents: 1 + CHILDREN });
      },
    );
  });

  it('passes resume on where it, or one of its agents, was paused, and else not', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    const callModel = async () => {
      asked.resolve(undefined);
      await answer.promise;
      return code('r1');
    };
    await withRun({ 0: { callModel: [callModel], runCode: [FINAL] } }, {}, async ({ handle, outcome }) => {
      const toldAgents = async (): Promise<(string | null | undefined)[]> =>
        ((await handle.fetchHistory()).events ?? []).flatMap(
          ({ signalExternalWorkflowExecutionInitiatedEventAttributes: sent }) => (sent ? [sent.signalName] : []),
        );
      await asked.promise;
      for (const id of ['1', '2', '3']) await handle.signal(resumeMessage, { id });
      // As an update it is answered when it has been applied.
      await handle.executeUpdate(resumeMessage, { args: [{}] });
      expect(await toldAgents()).toEqual([]);
      await handle.executeUpdate(pauseMessage, { args: [{ agent: '0' }] });
      await handle.executeUpdate(resumeMessage, { args: [{}] });
      await handle.executeUpdate(resumeMessage, { args: [{}] });
      expect(await toldAgents()).toEqual(['pause', 'resume']);
      answer.resolve(undefined);
      expect(await outcome()).toMatchObject({ status: 'completed' });
    });
  });

  it('hears what it was told before its first step', async () => {
    const id = `run-${(runs += 1)}`;
    fakes.set(id, fakeActivities({ 0: { callModel: [code('r1')], runCode: [FINAL] } }));
    const handle = await temporal.client.workflow.signalWithStart('investigate', {
      workflowId: id,
      taskQueue: TASK_QUEUE,
      args: [{ repo: 'r', prompt: 'p' }],
      signal: pauseMessage,
      signalArgs: [{ reason: 'not yet' }],
    });
    await vi.waitFor(
      async () =>
        expect(await handle.query<RunState>(statusQuery)).toMatchObject({ status: 'paused', reason: 'not yet' }),
      20_000,
    );
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  it('ignores malformed messages, with a note; as updates they are refused', async () => {
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    const callModel = async () => {
      asked.resolve(undefined);
      await answer.promise;
      return code('r1');
    };
    await withRun({ 0: { callModel: [callModel], runCode: [FINAL] } }, {}, async ({ handle, outcome }) => {
      await asked.promise;
      const { workflow, connection } = temporal.client;
      await handle.signal(setBudgetMessage, { max_cost: 'lots' });
      await handle.signal(setBudgetMessage, { max_sandbox: 60 });
      await handle.signal(setBudgetMessage, 'more');
      await handle.signal(pauseMessage, ['now']);
      await handle.signal('pasue');
      await handle.signal(configureMessage, { config: {} });
      await connection.workflowService.signalWorkflowExecution({
        namespace: temporal.namespace,
        workflowExecution: { workflowId: handle.workflowId },
        signalName: setBudgetMessage,
        input: { payloads: [{ metadata: { encoding: Buffer.from('of nobody') }, data: Buffer.from([255]) }] },
      });
      const state = await handle.query<RunState>(statusQuery);
      expect(state).toMatchObject({ status: 'running', limits: { max_sandboxes: 50 } });
      expect(state.notes).toEqual([
        'The signal setBudget was ignored: max_cost must be a number of USD of at least 0, not "lots".',
        'The signal setBudget was ignored: it has no field "max_sandbox"; did you mean max_sandboxes?',
        expect.stringContaining('The signal setBudget was ignored: it must be an object with the fields'),
        expect.stringContaining('The signal pause was ignored: it must be an object'),
        'The signal "pasue" was ignored: there is none of this name; did you mean pause?',
        'The signal configure was ignored: it is an update only (temporal workflow update execute --name configure).',
        expect.stringContaining('The signal setBudget was ignored'),
      ]);
      const root = workflow.getHandle(`${handle.workflowId}/0`);
      const budget = workflow.getHandle(`${handle.workflowId}/budget`);
      await root.signal('granted', { id: 5 });
      await budget.signal('settle', { id: 'x', from: 'y', paid: { model_calls: 1, usd: 'NaN' } });
      await budget.signal('reserve', { sandboxes: -3 });
      expect((await root.query<{ notes: string[] }>(statusQuery)).notes).toHaveLength(1);
      const spent = await budget.query<{ notes: string[]; used: object }>(spentQuery);
      expect(spent).toMatchObject({
        used: { sandboxes: 1, llm_calls: 0 },
        notes: [expect.any(String), expect.any(String)],
      });

      const refused = (error: unknown): unknown => (error instanceof WorkflowUpdateFailedError ? error.cause : error);
      const update = (name: string, message?: object): Promise<unknown> =>
        handle.executeUpdate<unknown, [unknown]>(name, { args: [message] }).catch(refused);
      expect(await update(setBudgetMessage, { max_cost: 'lots' })).toMatchObject({
        type: 'Input.Invalid',
        message: 'The update setBudget was refused: max_cost must be a number of USD of at least 0, not "lots".',
      });
      for (const [given, problem] of [
        [undefined, 'it must be {config: {model: {...}}}'],
        [{ repo: 'r', prompt: 'p' }, 'config is missing'],
        [{ config: {}, promt: 'p' }, 'the input of investigate has no field "promt". Did you mean `prompt`'],
        [
          { config: {}, prompt: 'p', branch: 'b', commit: 'c' },
          'branch and commit cannot change in a run that is open',
        ],
      ] as const) {
        // oxlint-disable-next-line no-await-in-loop -- one after another
        expect(await update(configureMessage, given)).toMatchObject({
          type: 'Input.Invalid',
          message: expect.stringContaining(`The update configure was refused: ${problem}`),
        });
      }
      const granted = { max_sandboxes: 60, grant: 'of the user' };
      expect(await update(setBudgetMessage, granted)).toMatchObject({ limits: { max_sandboxes: 60 } });
      const more = (await update(setBudgetMessage, { max_sandboxes: 70 })) as RunState;
      expect(more.limits).toMatchObject({ max_sandboxes: 60 });
      expect(more.notes.at(-1)).toMatch(/^max_sandboxes is now 60, not 70: more takes rlm budget/);
      expect(await update(pauseMessage, { reason: 'to look' })).toMatchObject({ status: 'paused', reason: 'to look' });
      expect(await update(resumeMessage)).toMatchObject({ status: 'running', reason: null });
      const metadata = await handle.query<WorkflowMetadata>('__temporal_workflow_metadata');
      const { queryDefinitions, signalDefinitions, updateDefinitions } = metadata.definition ?? {};
      for (const each of [...(queryDefinitions ?? []), ...(signalDefinitions ?? []), ...(updateDefinitions ?? [])])
        if (each.name?.startsWith('__') !== true) expect(each.description, each.name ?? '').toMatch(/\w+ \w+/);
      expect(updateDefinitions?.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['approve', pauseMessage, 'reject', resumeMessage, setBudgetMessage, 'steer']),
      );
      answer.resolve(undefined);
      expect(await outcome()).toMatchObject({ status: 'completed' });
    });
  });

  it.each([
    ['investigate', { repo: 'r', promt: 'p' }, 'Did you mean `prompt`: what to do, in words (required)?'],
    ['investigate', { repo: 'r', prompt: 'p', branch: 7 }, "Left out, it is the repository's default branch."],
    ['investigate', { repo: 'r', prompt: ' ' }, 'The input needs `prompt`: what to do, in words.'],
    ['analyze', undefined, 'The input of analyze is missing: it must be an object'],
    ['analyze', { signature: 'a -> b', input: {} }, 'Did you mean `inputs`'],
    ['investgate', { repo: 'r', prompt: 'p' }, 'There is no workflow type "investgate". Did you mean investigate?'],
  ])('of the type %s with the input %j fails at once and says what is right', async (type, input, message) => {
    expect(await refusal(type, { args: [input] })).toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringContaining(message),
    });
  });

  it('with a cron schedule is refused; schedules are the way', async () => {
    const options = { args: [{ repo: 'r', prompt: 'p' }], cronSchedule: '@every 1s' };
    expect(await refusal('investigate', options)).toMatchObject({
      message: expect.stringContaining('temporal schedule create'),
    });
  });

  it('passes a message on to the agent it is for; its next model call has it, once', async () => {
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
        const steer = (message: object): Promise<unknown> => handle.executeUpdate('steer', { args: [message] });
        await asked.promise;
        const look = { id: 'once', agent: '0.1', message: 'look at b.py' };
        expect(await steer(look)).toMatchObject({ status: 'running', notes: [] });
        await handle.signal('steer', look);
        await handle.signal('steer', { message: 'for the root' });
        // What could not be delivered has not been applied: the same message again is no success.
        for (const id of ['early', 'early']) {
          await expect(steer({ id, agent: '0.7', message: 'x' })).rejects.toMatchObject({
            cause: { message: expect.stringContaining('agent 0.7 has ended, or was never started') },
          });
        }
        answer.resolve(undefined);
        expect(await outcome()).toMatchObject({
          status: 'completed',
          notes: ['The agent ended before its model had seen a message sent to it.'],
        });
        expect(fake.inputs.callModel?.map(({ steer: messages }) => messages)).toEqual([
          undefined,
          undefined,
          [{ id: 'once', message: 'look at b.py' }],
        ]);
      },
    );
  });

  it('asks a person before the steps that rlm.approve names; questions of nested agents reach the top', async () => {
    const preview = 'task="look"';
    await withRun(
      {
        0: {
          callModel: [code('r1')],
          runCode: [
            { kind: 'calls', head: 'c', calls: [{ ...call('1.1', 'rlm_query'), preview }], waiting: true },
            FINAL,
          ],
          finishAgent: { answer_ref: 'a', answer: 'done', patch_ref: 'the-patch' },
        },
        '0.1': {
          callModel: [code('s1')],
          runCode: [
            { kind: 'calls', head: 'sc', calls: [call('1.1', 'search'), call('1.2', 'search')], waiting: true },
            { kind: 'calls', head: 'sc2', calls: [], waiting: true },
            FINAL,
          ],
        },
      },
      { approve: ['tools', 'sub_agents', 'patch'] },
      async ({ handle, outcome, fake }) => {
        const questions = async (): Promise<readonly string[]> =>
          (await handle.query<RunState>(statusQuery)).questions.map(({ id }) => id);
        const asked = (ids: readonly string[]): Promise<void> =>
          vi.waitFor(async () => expect((await questions()).toSorted()).toEqual(ids), 20_000);
        const answer = (name: string, message: object = {}): Promise<unknown> =>
          handle.executeUpdate(name, { args: [message] });
        await asked(['0/1.1']);
        expect(await handle.query<RunState>(statusQuery)).toMatchObject({
          status: 'running',
          reason: `waiting for approval of 0/1.1: the code is to call rlm_query(${preview})`,
        });
        expect(await answer('approve')).toMatchObject({ status: 'running' });
        await expect(answer('approve', { question: '0/9' })).rejects.toMatchObject({
          cause: { message: expect.stringContaining('There is no question "0/9"') },
        });
        await asked(['0.1/1.1', '0.1/1.2']);
        await answer('reject', { question: '0.1/1.1', reason: 'too dear' });
        await asked(['0.1/1.2']);
        await handle.signal('approve', { question: '0.1/1.2' });
        await asked(['patch']);
        await answer('reject', { reason: 'not on a Friday' });
        expect(await outcome()).toMatchObject({
          status: 'completed',
          answer: 'done',
          patch_ref: null,
          notes: ['There is no patch: a person rejected it: not on a Friday.'],
        });
        const notices = fake.inputs.sendNotice?.map(({ notice }) => [notice.event, notice.next.split(' ').at(-1)]);
        expect(notices?.toSorted()).toEqual(
          ['0.1/1.1', '0.1/1.2', '0/1.1', 'patch'].map((question) => ['approval', question]),
        );
        const given = fake.inputs.runCode?.flatMap(({ answers = [] }) => answers);
        expect(given).toEqual(
          expect.arrayContaining([
            { call: '1.1', answer: { error: 'a person rejected it: too dear' } },
            { call: '1.2', answer: { ref: 'tool-answer' } },
          ]),
        );
      },
    );
  });

  it('that is cancelled while it applies a message of a person ends with its outcome all the same', async () => {
    const asked = Promise.withResolvers();
    const admitBudget = async (): Promise<void> => {
      asked.resolve(undefined);
      await untilCancelled();
    };
    await withRun(
      { 0: { callModel: [untilCancelled] } },
      {},
      async ({ handle, outcome }) => {
        await handle.signal(setBudgetMessage, { max_sandboxes: 5000, grant: 'that is looked for' });
        await asked.promise;
        await handle.cancel();
        expect(await outcome()).toMatchObject({ status: 'cancelled', error: null });
        expect(await closeStatuses(handle.workflowId)).toMatchObject({ '': 'CANCELLED', '/budget': 'COMPLETED' });
      },
      { admitBudget },
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
        expect(await outcome()).toMatchObject({ status: 'cancelled', error: null });
        expect(await closeStatuses(handle.workflowId)).toEqual({
          '': 'CANCELLED',
          '/0': 'CANCELLED',
          '/0.1': 'CANCELLED',
          '/budget': 'COMPLETED',
        });
        expect(fake.called).toEqual(
          expect.arrayContaining(['finishAgent 0 cancelled partial', 'finishAgent 0.1 cancelled partial']),
        );
      },
    );
  });

  it('at its deadline ends as timed out, with what it has', async () => {
    await withRun({ 0: { callModel: [untilCancelled] } }, { global_timeout: 1 }, async ({ handle, outcome, fake }) => {
      expect(await outcome()).toMatchObject({ status: 'timed_out' });
      expect(fake.called).toContain('finishAgent 0 cancelled partial');
      expect(await failureOf(handle)).toMatchObject({
        type: 'Run.TimedOut',
        message: 'The run reached its time limit of 1 s (rlm.global_timeout).',
        details: [{ run_id: handle.workflowId, status: 'timed_out' }],
      });
      expect(await closeStatuses(handle.workflowId)).toEqual({
        '': 'FAILED',
        '/0': 'CANCELLED',
        '/budget': 'COMPLETED',
      });
    });
  });

  it('fails when its root agent does, and says what there was all the same', async () => {
    const agents = { 0: { callModel: [failure('Model.BadRequest', 'no such model')] } };
    await withRun(agents, {}, async ({ handle, outcome }) => {
      expect(await outcome()).toMatchObject({ status: 'failed', error: 'Model.BadRequest: no such model' });
      expect(await failureOf(handle)).toMatchObject({
        type: 'Model.BadRequest',
        message: 'no such model',
        details: [{ status: 'failed', answer: 'an answer', agents: 1 }],
      });
      const root = temporal.client.workflow.getHandle(`${handle.workflowId}/0`);
      expect(await failureOf(root)).toMatchObject({
        type: 'Model.BadRequest',
        message: 'no such model',
        details: [{ status: 'failed', answer_ref: 'answer-of-0', totals: { agents: 1, sandboxes: 1 } }],
      });
      expect(await closeStatuses(handle.workflowId)).toEqual({ '': 'FAILED', '/0': 'FAILED', '/budget': 'COMPLETED' });
    });
  });

  it.each(['terminate', 'cancel'] as const)('fails at once when somebody ends its budget (%s)', async (end) => {
    const asked = Promise.withResolvers<undefined>();
    const callModel = async (): Promise<never> => {
      asked.resolve(undefined);
      return untilCancelled();
    };
    await withRun({ 0: { callModel: [callModel] } }, {}, async ({ handle, outcome }) => {
      await asked.promise;
      await temporal.client.workflow.getHandle(`${handle.workflowId}/budget`)[end]();
      expect(await outcome()).toMatchObject({ status: 'failed' });
      expect(await failureOf(handle)).toMatchObject({ type: 'Run.BudgetLost' });
    });
  });

  it.each(['terminate', 'cancel'] as const)('counts what a sub-agent had done that somebody ends (%s)', async (end) => {
    const asked = Promise.withResolvers<undefined>();
    const callModel = async (): Promise<never> => {
      asked.resolve(undefined);
      return untilCancelled();
    };
    const calls = { kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query')], waiting: true } as const;
    const agents = { 0: { callModel: [code('r1')], runCode: [calls, FINAL] }, '0.1': { callModel: [callModel] } };
    await withRun(agents, {}, async ({ handle, outcome, fake }) => {
      await asked.promise;
      await temporal.client.workflow.getHandle(`${handle.workflowId}/0.1`)[end]();
      expect(await outcome()).toMatchObject({ status: 'completed', agents: 2, sandboxes: 2 });
      expect(fake.called).toContain('readAgent 0 0.1');
      const [, delivered] = fake.inputs.runCode ?? [];
      const why = end === 'cancel' ? 'cancelled' : 'terminated';
      expect(delivered?.answers).toEqual([{ call: '1.1', answer: { error: `sub-agent 0.1 did not finish (${why})` } }]);
    });
  });

  it('stores answers that are too large for its history; of what is refused it counts alike', async () => {
    const members = Array.from({ length: 20 }, (_, at) => `0.${at + 1}`);
    const refused = failure('Model.BadRequest', 'x'.repeat(6000));
    const { outcome, fake } = await outcomeOf(
      {
        0: {
          callModel: [code('r1')],
          runCode: [
            { kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query_batched', 30_000)], waiting: true },
            FINAL,
          ],
        },
        ...Object.fromEntries(members.map((id) => [id, { callModel: [refused], finishAgent: {} }])),
      },
      { max_sandboxes: 21 },
    );
    expect(outcome).toMatchObject({ status: 'completed', agents: 21, notes: [expect.stringContaining('29980 tasks')] });
    expect(fake.inputs.storeAnswers).toMatchObject([{ answers: { length: 21 } }]);
    expect(fake.inputs.storeAnswers?.[0]?.answers.at(-1)).toMatchObject({ count: 29_980 });
    for (const { answers = [] } of fake.inputs.runCode ?? [])
      expect(JSON.stringify(answers).length).toBeLessThan(10_000);
  });

  it('pauses where the reports of its sub-agents cannot be stored, and loses none of them', async () => {
    let stored = 0;
    const members = ['0.1', '0.2', '0.3'];
    const long = { answer_ref: 'a', answer: 'short', patch_ref: 'p'.repeat(40_000) };
    await withRun(
      {
        0: {
          callModel: [code('r1')],
          runCode: [{ kind: 'calls', head: 'c', calls: [call('1.1', 'rlm_query_batched', 3)], waiting: true }, FINAL],
        },
        ...Object.fromEntries(
          members.map((id) => [id, { callModel: [code('r')], runCode: [FINAL], finishAgent: long }]),
        ),
      },
      {},
      async ({ handle, outcome, fake }) => {
        const paused = { status: 'paused', failure: 'Storage.Unavailable' };
        await vi.waitFor(async () => expect(await handle.query<RunState>(statusQuery)).toMatchObject(paused), 30_000);
        await handle.signal(resumeMessage);
        expect(await outcome()).toMatchObject({ status: 'completed', agents: 4 });
        const delivered = fake.inputs.runCode?.flatMap(({ answers = [] }) => answers) ?? [];
        expect(delivered).toMatchObject([{ call: '1.1', answer: { items: [{ list: 'kept' }] } }]);
      },
      {
        storeAnswers: async ({ answers }) => {
          stored += 1;
          if (stored === 1) throw failure('Storage.Unavailable', 'The blob store is away.');
          return { list: 'kept', count: answers.length, usage: USED };
        },
      },
    );
  });

  it('counts no time without a worker against its deadline', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const workerAbsence: Activities['workerAbsence'] = async ({ during }) => {
      resolve();
      return during.reduce((sum, { from, to }) => sum + to - from, 0);
    };
    const agents = { 0: { callModel: [async () => (await asked, code('r1'))], runCode: [FINAL] } };
    await withRun(
      agents,
      { global_timeout: 1 },
      async ({ outcome }) => expect(await outcome()).toMatchObject({ status: 'completed' }),
      { workerAbsence },
    );
  });

  it('has another deadline when a person says so, and tells its limits', async () => {
    await withRun({ 0: { callModel: [untilCancelled] } }, { global_timeout: 600, max_cost: 1 }, async (run) => {
      await run.handle.signal(setBudgetMessage, { global_timeout: 300 });
      await vi.waitFor(async () => {
        const { limits, remaining_ms } = await run.handle.query<RunState>(statusQuery);
        expect(limits).toMatchObject({ global_timeout: 300, max_cost: 1 });
        expect(remaining_ms).toBeLessThan(301_000);
      }, 20_000);
      await run.handle.signal(setBudgetMessage, { global_timeout: 1 });
      expect(await run.outcome()).toMatchObject({ status: 'timed_out' });
    });
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
            { ref: 'answer-of-0.2', child: '0.2', spent: USED },
          ],
        },
      },
    ]);
  });
});
