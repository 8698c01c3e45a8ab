import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentContext } from '../../src/activities/agent-context.ts';
import { taskRecord } from '../../src/activities/agent-task.ts';
import { callModel } from '../../src/activities/call-model.ts';
import type { ActivityDependencies, ForAgent } from '../../src/activities/dependencies.ts';
import { finishAgent } from '../../src/activities/finish-agent.ts';
import { createSandbox } from '../../src/activities/create-sandbox.ts';
import { sandboxName } from '../../src/activities/own-sandbox.ts';
import { rebuildSandbox } from '../../src/activities/rebuild-sandbox.ts';
import { runCode } from '../../src/activities/run-code.ts';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import type { RebuildCause, RunCodeInput, RunCodeResult } from '../../src/domain/contract.ts';
import { TypedError } from '../../src/domain/failures.ts';
import {
  agentReferenceName,
  type AgentReference,
  type ChainRecord,
  type RunSpecification,
} from '../../src/domain/records.ts';
import type { ChatReply, ChatRequest } from '../../src/llm/chat-model.ts';
import type { SandboxHandle } from '../../src/domain/sandbox.ts';
import type { Patch, SandboxProvider } from '../../src/sandbox/provider.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { createFakeKernel, type FakeKernel, type Step } from './fake-kernel.ts';

/** The activities of a turn with a scripted model and a scripted kernel, on a real file store. */
const USAGE = { input_tokens: 10, output_tokens: 1, cost: 0.5, llm_calls: 1 };
const python = (...codes: readonly string[]): string => codes.map((code) => `\`\`\`python\n${code}\n\`\`\``).join('\n');

interface Stage {
  readonly deps: ActivityDependencies;
  readonly scope: AgentContext;
  /** In a call that its parent has recorded. */
  readonly task: { readonly ref: string; readonly index: number };
  readonly asked: ChatRequest[];
  /** By sandbox name, as it travels. */
  readonly kernels: Map<string, FakeKernel>;
  readonly destroyed: string[];
  records(): Promise<ChainRecord[]>;
}

let path: string;
let activity: number;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'turn-'));
  activity = 0;
});
afterEach(() => rm(path, { recursive: true, force: true }));

async function createStage(
  replies: readonly (Partial<ChatReply> | string | Error)[],
  programs: Readonly<Record<string, readonly Step[]>> = {},
): Promise<Stage> {
  const blobs = createFileBlobStore({ path });
  const chains = createChains(blobs);
  const run: RunSpecification = {
    v: 1,
    kind: 'run',
    type: 'investigate',
    run: 'run',
    execution: 'execution',
    prompt: 'find it',
    repository: { name: 'repository', commit: 'c'.repeat(40), bundle: 'bundle' },
    config: DEFAULT_CONFIG,
  };
  const spec = await chains.putJson(run);
  const scope: AgentContext = { run: 'run', execution: 'execution', agent: '0.1', spec, settings: spec };
  const asked: ChatRequest[] = [];
  const kernels = new Map([['s-g0', createFakeKernel(programs)]]);
  const destroyed: string[] = [];
  const provider = {
    name: 'local',
    host: undefined,
    create: ({ name, generation }: { name: string; generation: number }) => {
      const id = `s-g${generation}`;
      kernels.set(id, createFakeKernel(programs, { generation }));
      return Promise.resolve({ provider: 'local', id, generation, name });
    },
    connect: ({ id }: SandboxHandle) => {
      const kernel = kernels.get(id);
      if (kernel === undefined) return Promise.reject(new TypedError('Sandbox.Lost', `${id} is gone.`));
      const patch = (): Promise<Patch> => Promise.resolve({ bytes: Buffer.from('its patch'), notes: [] });
      return Promise.resolve({ kernel, workspace: '/workspace', patch });
    },
    destroy: ({ id }: SandboxHandle) => {
      destroyed.push(id);
      kernels.delete(id);
      return Promise.resolve();
    },
    count: () => Promise.resolve(kernels.size),
    handleOf: ({ name, generation }: { name: string; generation: number }) => ({
      provider: 'local',
      id: name === sandboxName(scope, generation) ? `s-g${generation}` : name,
      generation,
    }),
  };
  const left = [...replies];
  const deps = {
    blobs,
    chains,
    models: () => ({
      complete: (request: ChatRequest) => {
        asked.push(request);
        const reply = left.shift();
        if (reply === undefined) throw new Error('the model was asked more often than it has replies');
        if (reply instanceof Error) return Promise.reject(reply);
        const fields = typeof reply === 'string' ? { text: reply } : reply;
        return Promise.resolve({ text: '', finish_reason: 'stop', model: 'm', usage: USAGE, ...fields });
      },
    }),
    sandboxes: () => provider as unknown as SandboxProvider,
    largeReplies: { acquire: () => Promise.resolve(() => undefined) },
    workerDeaths: { watch: () => ({ enter: () => undefined, leave: () => undefined }) },
    environment: {},
    host: 'here',
    cluster: 'c',
    namespace: 'n',
    checkpoint: () => undefined,
  } as unknown as ActivityDependencies;
  const task = { ref: await chains.putJson({ function: 'rlm_query', hash: '', list: ['find it'] }), index: 0 };
  const calls = [{ call: '1.1', function: 'rlm_query', request: task.ref }];
  const parent = await chains.append(taskRecord({ ...scope, agent: '0' }, { text: run.prompt }));
  const head = await chains.append({ v: 1, kind: 'calls', parent, block: 1, calls, cursor: 1 });
  await blobs.setReference(agentReferenceName('run', 'execution', '0'), { head });
  const reference = async (): Promise<AgentReference> =>
    (await blobs.getReference(agentReferenceName('run', 'execution', '0.1'))) as AgentReference;
  return { deps, scope, task, asked, kernels, destroyed, records: async () => chains.walk((await reference()).head) };
}

/** Runs an activity as the server would: each call is an activity of its own. */
function perform<Input, Result>(
  { deps, scope, task }: Stage,
  act: (deps: ActivityDependencies, input: ForAgent<Input>) => Promise<Result>,
  input: Omit<Input, 'execution' | 'task'>,
): Promise<Result> {
  activity += 1;
  const environment = new MockActivityEnvironment(
    {
      activityId: String(activity),
      attempt: 1,
      workflowExecution: { workflowId: 'run/0.1', runId: 'a' },
      currentAttemptScheduledTimestampMs: activity,
    },
    { logger: new DefaultLogger('ERROR') },
  );
  return environment.run(() =>
    act(deps, { ...input, execution: 'execution', task, scope } as unknown as ForAgent<Input>),
  );
}

const SANDBOX = 'local:0:s-g0';
const ask = (stage: Stage, head?: string): ReturnType<typeof callModel> =>
  perform(stage, callModel, { purpose: 'turn', ...(head === undefined ? {} : { head }) });
const code = (
  stage: Stage,
  input: Omit<RunCodeInput, 'execution' | 'task' | 'sandbox'> & { sandbox?: string },
): Promise<RunCodeResult> => perform(stage, runCode, { sandbox: SANDBOX, ...input });

async function headOf(stage: Stage): Promise<string> {
  const reply = await ask(stage);
  if (reply.kind !== 'code') throw new Error(`a reply with code was wanted, not ${reply.kind}`);
  return reply.head;
}

describe('callModel', () => {
  it.each([
    ['code', python('a', 'b'), { kind: 'code', lines: 2 }],
    ['text', 'I think so.', { kind: 'text', in_a_row: 1, empty: false }],
    ['nothing', '', { kind: 'text', in_a_row: 1, empty: true }],
    ['a reply that was cut off', { text: python('a'), finish_reason: 'length' as const }, { kind: 'truncated' }],
  ])('tells %s apart, and records it', async (_name, reply, expected) => {
    const stage = await createStage([reply]);
    expect(await ask(stage)).toMatchObject({ ...expected, usage: USAGE });
    expect((await stage.records()).map(({ kind }) => kind)).toEqual(['task', 'reply']);
  });

  it('never asks again for a reply that is recorded: not repeated, and not from a head that is behind', async () => {
    const stage = await createStage([python('a'), 'second'], { 'a\n': [] });
    const first = await ask(stage);
    expect(await ask(stage)).toEqual(first);
    const ran = await code(stage, { head: 'head' in first ? first.head : '' });
    const second = await ask(stage, ran.head);
    expect(stage.asked).toHaveLength(2);
    expect(await ask(stage)).toEqual(first);
    expect(await ask(stage, ran.head)).toEqual(second);
    expect(stage.asked).toHaveLength(2);
  });

  it('says so when the conversation is too long and nothing can be left out', async () => {
    const stage = await createStage([new TypedError('Model.ContextLength', 'too long')]);
    expect(await ask(stage)).toEqual({ kind: 'context_length' });
  });

  it('asks again for a summary that is empty or cut off; reasoning is no part of it', async () => {
    const tooLong = new TypedError('Model.ContextLength', 'too long');
    const summaries = [
      { text: '<think>what to say?</think>' },
      { text: 'The first ha', finish_reason: 'length' as const },
      { text: '<think>short</think>a found one.' },
    ];
    const stage = await createStage([python('a'), python('b'), tooLong, ...summaries, 'done'], {
      'a\n': [],
      'b\n': [],
    });
    const first = await code(stage, { head: await headOf(stage) });
    const second = await ask(stage, first.head);
    const ran = await code(stage, { head: 'head' in second ? second.head : '' });
    expect(await ask(stage, ran.head)).toMatchObject({ kind: 'text', usage: { llm_calls: 4, cost: 2 } });
    const summary = (await stage.records()).find((record) => record.kind === 'summary');
    expect(summary).toMatchObject({ text: 'a found one.', through: 1, usage: { llm_calls: 3 } });
    expect(JSON.stringify(stage.asked.at(-1)?.messages)).not.toContain('think>');
    expect(new Set(stage.asked.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(stage.asked.length);
  });

  it('continues without a summary where none comes', async () => {
    const tooLong = new TypedError('Model.ContextLength', 'too long');
    const empty = { text: '' };
    const replies = [python('a = 1'), python('b'), tooLong, empty, empty, empty, 'done'];
    const stage = await createStage(replies, { 'a = 1\n': [], 'b\n': [] });
    const first = await code(stage, { head: await headOf(stage) });
    const second = await ask(stage, first.head);
    const ran = await code(stage, { head: 'head' in second ? second.head : '' });
    expect(await ask(stage, ran.head)).toMatchObject({ kind: 'text' });
    const said = stage.asked.at(-1)?.messages.find(({ role }) => role === 'assistant')?.content;
    expect(said).toContain('You gave no summary of them.');
    expect(said).toContain('all still there: a.');
  });

  it('fails with what the provider said, and records nothing', async () => {
    const stage = await createStage([new TypedError('Model.Refused', 'The key was refused.')]);
    await expect(ask(stage)).rejects.toMatchObject({ type: 'Model.Refused' });
    expect((await stage.records()).map(({ kind }) => kind)).toEqual(['task']);
  });
});

describe('runCode', () => {
  it('runs the blocks of a reply in order, up to the first that fails', async () => {
    const stage = await createStage([python('a', 'b', 'c')], { 'a\n': [], 'b\n': [{ error: 'no' }], 'c\n': [] });
    const head = await headOf(stage);
    const done = await code(stage, { head });
    expect(done).toMatchObject({ kind: 'done', status: 'error' });
    expect(await code(stage, { head })).toEqual(done);
    expect(stage.kernels.get('s-g0')?.ran).toEqual(['a\n', 'b\n']);
    expect((await stage.records()).map(({ kind }) => kind)).toEqual(['task', 'reply', 'block', 'block']);
  });

  it('ends with FINAL, and repeated finds that', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ final: 42 }] });
    const head = await headOf(stage);
    const final = await code(stage, { head });
    expect(final).toMatchObject({ kind: 'final', status: 'ok' });
    expect(await code(stage, { head })).toEqual(final);
    expect(stage.kernels.get('s-g0')?.ran).toEqual(['a\n']);
  });

  it('yields with calls, and continues with answers as they come, in any order', async () => {
    const stage = await createStage([python('a')], {
      'a\n': [
        {
          calls: [
            ['llm_query', 'x'],
            ['llm_query', 'y'],
          ],
        },
        { final: 'done' },
      ],
    });
    const head = await headOf(stage);
    const yielded = await code(stage, { head });
    expect(yielded).toMatchObject({ kind: 'calls', waiting: true, calls: [{ call: '1.1' }, { call: '1.2' }] });
    const answer = { ref: await stage.deps.chains.putJson('Y') };
    const more = await code(stage, { head: yielded.head, answers: [{ call: '1.2', answer }] });
    expect(more).toMatchObject({ kind: 'calls', calls: [] });
    const last = await code(stage, { head: more.head, answers: [{ call: '1.1', answer: { error: 'no model' } }] });
    expect(last.kind).toBe('final');
    expect([...(stage.kernels.get('s-g0')?.answered ?? [])]).toEqual([
      ['1.2', 'Y'],
      ['1.1', 'Error: no model'],
    ]);
    expect((await stage.records()).map(({ kind }) => kind)).toEqual([
      'task',
      'reply',
      'calls',
      'answers',
      'answers',
      'block',
    ]);
  });

  it('repeated after its calls were recorded, returns them again and runs nothing twice', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ calls: [['llm_query', 'x']] }, { final: 1 }] });
    const head = await headOf(stage);
    const first = await code(stage, { head });
    expect(await code(stage, { head })).toEqual(first);
    expect(stage.kernels.get('s-g0')?.ran).toEqual(['a\n']);
  });

  it('repeated after its answers were recorded, records them once and delivers them all the same', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ calls: [['llm_query', 'x']] }, { final: 1 }] });
    const head = await headOf(stage);
    const yielded = await code(stage, { head });
    const answers = [{ call: '1.1', answer: { error: 'none' } }];
    // The attempt recorded the answers and was killed before the kernel had them.
    const reference = agentReferenceName('run', 'execution', '0.1');
    const before = await stage.deps.blobs.readReference(reference);
    const record = await stage.deps.chains.append({ v: 1, kind: 'answers', parent: yielded.head, block: 1, answers });
    const value = { ...(before?.value as AgentReference), head: record };
    await stage.deps.blobs.swapReference(reference, value, before?.version ?? null);
    expect(await code(stage, { head: yielded.head, answers })).toMatchObject({ kind: 'final' });
    expect((await stage.records()).filter(({ kind }) => kind === 'answers')).toHaveLength(1);
    expect(stage.kernels.get('s-g0')?.answered.get('1.1')).toBe('Error: none');
  });

  it('called with a head that is behind (the workflow was reset), returns how the code ended then, and runs nothing', async () => {
    const stage = await createStage([python('a'), python('b')], { 'a\n': [], 'b\n': ['crash'], pass: [] });
    const head = await headOf(stage);
    const done = await code(stage, { head });
    const second = await ask(stage, done.head);
    expect(await code(stage, { head })).toEqual(done);
    const crashed = { head: 'head' in second ? second.head : '' };
    expect(await code(stage, crashed)).toMatchObject({ kind: 'crashed' });
    expect(await code(stage, crashed)).toMatchObject({ kind: 'crashed' });
    expect(await code(stage, { head })).toEqual(done);
    expect(stage.kernels.get('s-g0')?.ran).toEqual(['a\n', 'b\n']);
    // Once it has another sandbox, the interpreter that ended is not missed again.
    const rebuilt = await perform(stage, rebuildSandbox, { cause: gone(SANDBOX) });
    const sandbox = rebuilt.kind === 'rebuilt' ? rebuilt.sandbox : '';
    expect(await code(stage, { ...crashed, sandbox })).toMatchObject({ kind: 'done', status: 'crashed' });
  });

  it('without code that has ended, because its agent ended first, is done', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ calls: [['llm_query', 'x']] }] });
    const head = await headOf(stage);
    await code(stage, { head });
    await perform(stage, finishAgent, { status: 'cancelled', source: 'partial' });
    expect(await code(stage, { head })).toEqual({ kind: 'done', head: (await stage.records()).at(-1)?.parent });
  });

  it('says when the code ended its own interpreter, also to the attempt after the one that started it', async () => {
    const stage = await createStage([python('a')], { 'a\n': ['crash'] });
    const head = await headOf(stage);
    const kernel = stage.kernels.get('s-g0');
    // The attempt that started the block is killed before it hears of the end.
    const started = { ...kernel, events: () => Promise.reject(new Error('killed')) } as FakeKernel;
    stage.kernels.set('s-g0', started);
    await expect(code(stage, { head })).rejects.toThrow('killed');
    stage.kernels.set('s-g0', kernel as FakeKernel);
    expect(await code(stage, { head })).toMatchObject({ kind: 'crashed' });
    expect(kernel?.ran).toEqual(['a\n']);
  });

  it.each([
    ['that is gone', (stage: Stage) => stage.kernels.delete('s-g0')],
    ['whose kernel does not answer', (stage: Stage) => stage.kernels.get('s-g0')?.kill()],
  ])('fails as lost in a sandbox %s', async (_name, lose) => {
    const stage = await createStage([python('a')], { 'a\n': [] });
    const head = await headOf(stage);
    lose(stage);
    await expect(code(stage, { head })).rejects.toMatchObject({ type: 'Sandbox.Lost' });
  });

  it('fails as lost in a sandbox in which the blocks before did not run', async () => {
    const stage = await createStage([python('a', 'b')], {
      'a\n': [],
      'b\n': [{ calls: [['llm_query', 'x']] }, { final: 1 }],
    });
    const yielded = await code(stage, { head: await headOf(stage) });
    stage.kernels.set('s-g0', createFakeKernel({}));
    await expect(code(stage, { head: yielded.head })).rejects.toMatchObject({
      type: 'Sandbox.Lost',
      message: expect.stringContaining('the blocks so far did not run'),
    });
  });
});

const gone = (sandbox: string): RebuildCause => ({ kind: 'lost', sandbox, reason: 'It is gone.' });

describe('rebuildSandbox', () => {
  const programs: Readonly<Record<string, readonly Step[]>> = {
    'a\n': [{ calls: [['llm_query', 'first']] }, { print: 'one' }],
    'b\n': [
      {
        calls: [
          ['llm_query', 'x'],
          ['llm_query', 'y'],
        ],
      },
      { calls: [['llm_query', 'z']] },
      { final: 'end' },
    ],
  };

  it('replays the blocks with the recorded answers; the running block gets what is answered, and waits for what is open', async () => {
    const stage = await createStage([python('a'), python('b')], programs);
    const { deps } = stage;
    const answer = async (text: string): Promise<{ ref: string }> => ({ ref: await deps.chains.putJson(text) });
    const first = await code(stage, { head: await headOf(stage) });
    const ran = await code(stage, { head: first.head, answers: [{ call: '1.1', answer: await answer('A') }] });
    const reply = await ask(stage, ran.head);
    const yielded = await code(stage, { head: 'head' in reply ? reply.head : '' });
    const half = await code(stage, { head: yielded.head, answers: [{ call: '2.1', answer: await answer('X') }] });
    stage.kernels.get('s-g0')?.kill();
    const sandbox = 'local:1:s-g1';
    expect(await perform(stage, rebuildSandbox, { cause: gone(SANDBOX) })).toEqual({ kind: 'rebuilt', sandbox });
    // Repeated, it finds the one that was made.
    expect(await perform(stage, rebuildSandbox, { cause: gone(SANDBOX) })).toEqual({ kind: 'rebuilt', sandbox });
    const kernel = stage.kernels.get('s-g1');
    expect(kernel?.ran).toEqual(['a\n']);
    // The workflow still answers 2.2, and knows of no other call.
    const again = await code(stage, { sandbox, head: half.head });
    expect(again).toMatchObject({ kind: 'calls', calls: [] });
    expect(kernel?.answered.get('2.1')).toBe('X');
    const next = await code(stage, {
      sandbox,
      head: again.head,
      answers: [{ call: '2.2', answer: await answer('Y') }],
    });
    expect(next).toMatchObject({ kind: 'calls', calls: [{ call: '2.3' }] });
    const last = await code(stage, { sandbox, head: next.head, answers: [{ call: '2.3', answer: await answer('Z') }] });
    expect(last.kind).toBe('final');
    expect(stage.asked).toHaveLength(2);
    const rebuilt = (await stage.records()).find((record) => record.kind === 'rebuild');
    expect(rebuilt).toMatchObject({ generation: 1, repeated: [1], differences: [] });
  });

  it.each([
    // In place of a block that ended the interpreter, `pass` is run.
    [[], 'crash', 'the block of turn 1 was skipped; blocks replayed before it: 0.'],
    [['a'], 'crash', 'block 2 of turn 1 was skipped; blocks replayed before it: 1.'],
    [['a', 'b'], { print: 'last' }, 'block 3 of turn 1 was replayed; blocks replayed before it: 2.'],
  ] as const)('lost again after the blocks %j says where, and how many were replayed', async (before, last, where) => {
    const scripts: Record<string, readonly Step[]> = { 'a\n': [], 'b\n': [], 'last\n': [last] };
    const stage = await createStage([python(...before, 'last')], scripts);
    await code(stage, { head: await headOf(stage) });
    stage.kernels.get('s-g0')?.kill();
    Object.assign(scripts, { 'last\n': ['lose'], pass: ['lose'] });
    await expect(perform(stage, rebuildSandbox, { cause: gone(SANDBOX) })).rejects.toMatchObject({
      type: 'Sandbox.Lost',
      message: `The sandbox was lost again when ${where}`,
    });
  });

  it('refuses more than sandbox.max_rebuilds', async () => {
    const stage = await createStage([python('a')], programs);
    await code(stage, { head: await headOf(stage) });
    const rebuild = async (cause: RebuildCause): Promise<string> => {
      const result = await perform(stage, rebuildSandbox, { cause });
      return result.kind === 'rebuilt' ? result.sandbox : result.reason;
    };
    let sandbox = SANDBOX;
    for (let count = 0; count < DEFAULT_CONFIG.sandbox.max_rebuilds; count += 1) {
      // One that was evicted does not count.
      // oxlint-disable-next-line no-await-in-loop -- one after another
      sandbox = await rebuild({ kind: 'evicted', sandbox: await rebuild(gone(sandbox)) });
    }
    expect(await rebuild(gone(sandbox))).toBe('The sandbox was lost 11 times (sandbox.max_rebuilds: 10). It is gone.');
  });

  it('is allowed for the patch as often as for the code, whatever was evicted', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ final: 'end' }] });
    await code(stage, { head: await headOf(stage) });
    let sandbox = SANDBOX;
    for (let count = 0; count <= DEFAULT_CONFIG.sandbox.max_rebuilds; count += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      const result = await perform(stage, rebuildSandbox, { cause: { kind: 'evicted', sandbox } });
      if (result.kind === 'rebuilt') ({ sandbox } = result);
    }
    stage.kernels.clear();
    const finish = { sandbox, status: 'completed', source: 'final' } as const;
    await expect(perform(stage, finishAgent, finish)).rejects.toMatchObject({ type: 'Sandbox.Lost' });
  });
});

describe('finishAgent', () => {
  it('records the whole answer and the patch once, removes the sandbox, and repeated finds the end', async () => {
    const long = 'x'.repeat(20_000);
    const stage = await createStage([python('a')], { 'a\n': [{ final: long }] });
    await code(stage, { head: await headOf(stage) });
    const input = { sandbox: SANDBOX, status: 'completed', source: 'final' } as const;
    const finished = await perform(stage, finishAgent, input);
    expect(await stage.deps.chains.getJson(finished.answer_ref ?? '')).toBe(long);
    expect(Buffer.from(await stage.deps.blobs.get(finished.patch_ref ?? '')).toString()).toBe('its patch');
    expect(stage.destroyed).toEqual(['s-g0']);
    expect(await perform(stage, finishAgent, input)).toEqual(finished);
    expect((await stage.records()).map(({ kind }) => kind)).toEqual(['task', 'reply', 'block', 'end']);
  });

  it('of an agent that was cancelled says what is known of its answer', async () => {
    const stage = await createStage([python('a')], { 'a\n': [{ print: 'half of it' }] });
    await code(stage, { head: await headOf(stage) });
    const finished = await perform(stage, finishAgent, { status: 'cancelled', source: 'partial' });
    expect(await stage.deps.chains.getJson(finished.answer_ref ?? '')).toContain('half of it');
  });
});

describe('an input that somebody else made up', () => {
  const NOT_ALLOWED = { type: 'Input.NotAllowed' };

  it('gets no sandbox with a task that the run has not given', async () => {
    const stage = await createStage([]);
    const foreign = await stage.deps.chains.putJson({ function: 'rlm_query', hash: '', list: ['read the secret'] });
    for (const task of [{ ref: foreign, index: 0 }, { ref: stage.task.ref }])
      // oxlint-disable-next-line no-await-in-loop -- two
      await expect(perform({ ...stage, task } as Stage, createSandbox, {})).rejects.toMatchObject(NOT_ALLOWED);
    expect([...stage.kernels.keys()]).toEqual(['s-g0']);
  });

  it.each(['local:0:of-another-agent', 'local:0:s-g1', 'local:1:s-g0'])(
    'does nothing to a sandbox that is not its agent’s: %s',
    async (sandbox) => {
      const stage = await createStage([python('print(1)')], { 'print(1)': [] });
      stage.kernels.set('of-another-agent', createFakeKernel({}));
      stage.kernels.set('s-g1', createFakeKernel({}));
      const { head } = (await perform(stage, callModel, { purpose: 'turn' })) as { head: string };
      const finish = { sandbox, status: 'completed', source: 'final' } as const;
      await expect(code(stage, { sandbox, head })).rejects.toMatchObject(NOT_ALLOWED);
      await expect(perform(stage, rebuildSandbox, { cause: gone(sandbox) })).rejects.toMatchObject(NOT_ALLOWED);
      await expect(perform(stage, finishAgent, finish)).rejects.toMatchObject(NOT_ALLOWED);
      expect(stage.destroyed).toEqual([]);
    },
  );

  it('that names no sandbox at all is wrong, and not tried again', async () => {
    const stage = await createStage([]);
    for (const sandbox of ['', 'local', 5 as unknown as string])
      // oxlint-disable-next-line no-await-in-loop -- three
      await expect(perform(stage, rebuildSandbox, { cause: gone(sandbox) })).rejects.toMatchObject({
        type: 'Input.Invalid',
      });
  });
});
