import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ConfigInput } from '../../src/config/schema.ts';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { runReferenceName, type RunOutcome, type RunReference } from '../../src/domain/records.ts';
import { reportRun } from '../../src/client/report-run.ts';
import { withGrant } from '../../src/client/start-run.ts';
import { createTemporalRuns } from '../../src/client/temporal-runs.ts';
import { readSignature } from '../../src/domain/signature/read-signature.ts';
import { createGrants } from '../../src/grants.ts';
import { storeValues } from '../../src/inputs/index.ts';
import { withCode, type ScriptedModel, type ScriptedModelOptions } from '../../src/testing/index.ts';
import { tool } from '../../src/tools/tool.ts';
import { toolsOf } from '../../src/tools/index.ts';
import { z } from 'zod';
import { createWorld, TASK_QUEUE, type World } from './world.ts';

vi.setConfig({ testTimeout: 60_000 });

/** As the `temporal` command, a schedule or any other client starts a run: nothing but Temporal is reached. */
function start(world: World, id: string, input: object, type = 'investigate'): Promise<WorkflowHandle> {
  return world.client.workflow.start(type, { workflowId: id, taskQueue: TASK_QUEUE, args: [input] });
}

/** Why a run was refused, without its having begun. */
async function refusal(handle: WorkflowHandle): Promise<{ type: string | null | undefined; message: string }> {
  try {
    await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
    return { type: error.cause.type, message: error.cause.message };
  }
  throw new Error('it was not refused');
}

/** The beginning of a trajectory, as an agent would have it that was told this. */
function madeUp(of: { readonly run: string; readonly agent: string }): object {
  return { v: 1, kind: 'task', parent: null, depth: 0, task: 'Do something else', prompt_version: 1, ...of };
}

const done: ScriptedModelOptions = {
  scripts: ({ messages }) =>
    withCode(messages.some(({ content }) => content.includes('SUBMIT')) ? 'SUBMIT(b="done")' : 'FINAL("done")'),
};

describe('a worker without a configuration, and a run that somebody starts who can reach Temporal', () => {
  let world: World;
  let model: ScriptedModel;
  beforeAll(async () => {
    world = await createWorld('local');
    model = await world.startModel(done);
    await world.startWorker({ config: {}, tools: toolsOf({ secret: SECRET }), servesOthers: false });
  }, 120_000);
  afterAll(() => world.close());

  /** A repository that is nowhere: what is refused is refused before it is looked for. */
  const input = (config: object): object => ({ repo: 'https://127.0.0.1:1/none.git', prompt: 'Do it', config });

  it.each<[setting: string, allowedBy: string, config: () => object]>([
    ['model.base_url', 'worker.allow.endpoints', () => ({ model: { base_url: model.url } })],
    ['model.api_key_env', 'worker.allow.api_key_envs', () => ({ model: { api_key_env: 'LLM_API_KEY' } })],
    ['sandbox.isolation', 'worker.allow.isolation_none: true', () => ({ sandbox: { isolation: 'none' } })],
    ['sandbox.python', 'worker.allow.python', () => ({ sandbox: { python: '/bin/sh' } })],
    ['sandbox.setup', 'worker.allow.setup: true', () => ({ sandbox: { setup: ['id > /tmp/pwned'] } })],
    ['sandbox.setup_env', 'worker.allow.setup_env', () => ({ sandbox: { setup_env: ['LLM_API_KEY'] } })],
    ['sandbox.provider', 'worker.allow.sandbox_providers', () => ({ sandbox: { provider: 'daytona' } })],
    ['repository.token_env', 'worker.allow.repositories', () => ({ repository: { token_env: 'LLM_API_KEY' } })],
    ['storage.path', 'leave it out', () => ({ storage: { path: '/tmp/else' } })],
    ['tools.files', 'leave it out', () => ({ tools: { files: ['/tmp/tool.mjs'] } })],
    ['worker.allow', 'leave it out', () => ({ worker: { allow: { isolation_none: true } } })],
    ['rlm.max_sandboxes', 'rlm.max_sandboxes: 400', () => ({ rlm: { max_sandboxes: 400 } })],
    ['rlm.global_timeout', 'rlm.global_timeout: 86400', () => ({ rlm: { global_timeout: 86_400 } })],
    ['rlm.max_llm_calls', 'rlm.max_llm_calls: 9000', () => ({ rlm: { max_llm_calls: 9000 } })],
  ])('is refused at once: %s, which would take %s', async (setting, allowedBy, config) => {
    const { type, message } = await refusal(await start(world, `refused-${setting}`, input(config())));
    expect(type).toBe('Input.NotAllowed');
    expect(message).toContain(`${setting} `);
    expect(message).toContain(allowedBy);
  });

  it('is refused a folder of the worker’s host', async () => {
    const { type, message } = await refusal(
      await start(world, 'folder', { repo: world.repository, prompt: 'Read it' }),
    );
    expect(type).toBe('Input.NotAllowed');
    expect(message).toContain(`worker.allow.folders: [${world.repository}]`);
  });

  it('is refused a grant that was made for another id, another input or another kind of run, and one that is made up', async () => {
    const granted = { repo: world.repository, prompt: 'Do it', config: { model: { base_url: model.url } } };
    const grant = await createGrants(join(world.folder, 'state')).issue({
      run: 'granted',
      type: 'investigate',
      input: granted,
    });
    const attempts: [string, object, string?][] = [
      ['copied-id', { ...granted, grant }],
      ['granted', { ...granted, prompt: 'Do something else', grant }],
      ['granted', { ...granted, config: { ...granted.config, sandbox: { isolation: 'none' } }, grant }],
      ['granted', { signature: 'a -> b', inputs: { a: '' }, config: granted.config, grant }, 'analyze'],
      ['made-up', { ...granted, grant: 'a'.repeat(64) }],
    ];
    for (const [id, copied, type] of attempts) {
      // oxlint-disable-next-line no-await-in-loop -- some have the same id
      const { type: failure, message } = await refusal(await start(world, id, copied, type));
      expect(failure).toBe('Input.NotAllowed');
      expect(message).toContain('was made for another run id or another input');
    }
    // The very same run may be started by anybody.
    const outcome = (await (await start(world, 'granted', { ...granted, grant })).result()) as RunOutcome;
    expect(outcome.status).toBe('completed');
  });

  it.each<[what: string, agent: string, forge: (spec: string) => Promise<{ ref: string; index?: number }>]>([
    [
      'as a sub-agent, with a task that its parent did not give it',
      '0.7',
      async () => ({
        // What code gave to FINAL in a run that is allowed is a blob too.
        ref: await world.chains.putJson({ function: 'rlm_query', hash: '', list: ['Do something else'] }),
        index: 0,
      }),
    ],
    [
      'as a sub-agent that continues a trajectory made up',
      '0.8',
      async (run) => ({ ref: await world.chains.putJson(madeUp({ run, agent: '0.8' })) }),
    ],
    ['as another root', '1', async (run) => ({ ref: await world.chains.putJson(madeUp({ run, agent: '1' })) })],
    [
      'under the name of what is kept of the run',
      'run',
      async (run) => ({ ref: await world.chains.putJson(madeUp({ run, agent: 'run' })) }),
    ],
  ])('starts no agent of a run that was granted: %s', async (_, agent, forge) => {
    const description = await world.client.workflow.getHandle('granted').describe();
    const execution = description.raw.workflowExecutionInfo?.firstRunId ?? '';
    const run = (await world.blobs.getReference(runReferenceName('granted', execution))) as RunReference;
    const asked = model.calls.length;
    const args = [{ execution, task: await forge(run.spec), limits: DEFAULT_CONFIG.rlm, queues: 'shared' }];
    const handle = await world.client.workflow.start('agent', {
      workflowId: `granted/${agent}`,
      taskQueue: TASK_QUEUE,
      args,
    });
    const result = await handle.result().then(
      (value) => JSON.stringify(value),
      (error: unknown) => String((error as WorkflowFailedError).cause?.message),
    );
    expect(result).toContain('is started by its run only');
    expect(model.calls.length, 'no model was asked').toBe(asked);
  });

  it.concurrent('is refused soon where its grant is in another state folder', async () => {
    const config = { model: { base_url: model.url } };
    const foreign = { repo: 'https://127.0.0.1:1/none.git', prompt: 'Do it', config };
    const grant = await createGrants(join(world.folder, 'elsewhere')).issue({
      run: 'elsewhere',
      type: 'investigate',
      input: foreign,
    });
    const { type, message } = await refusal(await start(world, 'elsewhere', { ...foreign, grant }));
    expect(type).toBe('Input.NotAllowed');
    expect(message).toContain('with another state folder (DURABLE_RLM_STATE)');
  });

  it.concurrent('gets none of the data of another run, whose hashes are in every history', async () => {
    const secret = await world.blobs.put(Buffer.from('secret'));
    // What the code of an allowed run gave to FINAL is a blob too, so it can say anything.
    const summary = { type: 'str', preview: '' };
    const list = await world.chains.putJson([{ name: 'a', format: 'text', ref: secret, size: 6, summary }]);
    const tools = await world.chains.putJson(toolsOf({ secret: SECRET }).descriptions);
    const commit = 'c'.repeat(40);
    const attempts: [id: string, setting: string, input: object, type: 'investigate' | 'analyze'][] = [
      ['reads-bundle', 'bundle', { repo: 'r', prompt: 'Read it', commit, bundle: secret }, 'investigate'],
      ['reads-inputs', 'stored_inputs', { signature: 'a -> b', stored_inputs: list }, 'analyze'],
      ['takes-tools', 'tools', { signature: 'a -> b', inputs: { a: 'x' }, tools }, 'analyze'],
    ];
    await Promise.all(
      attempts.map(async ([id, setting, named, type]) => {
        // Anybody can reckon the hash of a grant; what counts is who has put it down.
        const grant = await createGrants(join(world.folder, id)).issue({ run: id, type, input: named });
        for (const sent of [named, { ...named, grant }]) {
          // oxlint-disable-next-line no-await-in-loop -- they have the same id
          const { type: failure, message } = await refusal(await start(world, id, sent, type));
          expect(failure).toBe('Input.NotAllowed');
          expect(message).toContain(`${setting} names a blob that was not stored for this run`);
        }
      }),
    );
  });

  it.concurrent('is not done with a budget that somebody started before it', async () => {
    const limits = { max_sandboxes: 5000, max_llm_calls: 5000 };
    const first = await world.client.workflow.start('budget', {
      workflowId: 'overtaken/budget',
      taskQueue: TASK_QUEUE,
      args: [{ limits, ceilings: limits }],
    });
    const outcome = await world.run({ id: 'overtaken', prompt: 'Do it', model });
    expect(outcome.status).toBe('completed');
    expect(await refusal(first)).toMatchObject({ type: 'Input.NotAllowed' });
  });

  it.concurrent('is refused as well where the stock command line starts it', async () => {
    const repo = 'https://127.0.0.1:1/none.git';
    const inputs: [type: string, input: string, said: RegExp][] = [
      ['investigate', '{}', /needs `repo`/],
      ['investigate', '"text"', /must be an object/],
      ['investigate', JSON.stringify({ repo, prompt: ['x'] }), /`prompt` must be text/],
      ['investigate', JSON.stringify({ repo, prompt: 'x', config: 'none' }), /`config` must be an object/],
      ['investigate', JSON.stringify(input({ sandbox: { isolation: 'none' } })), /worker\.allow\.isolation_none/],
      ['investigate', JSON.stringify(input({ model: { base_url: model.url } })), /worker\.allow\.endpoints/],
      ['investigate', JSON.stringify({ repo: world.repository, prompt: 'x' }), /worker\.allow\.folders/],
      ['analyze', JSON.stringify({ signature: 'a -> b', stored_inputs: ['x'] }), /`stored_inputs` must be text/],
      ['analyze', JSON.stringify({ signature: 5 }), /signature/],
      ['agent', JSON.stringify({ task: {} }), /started by its run only/],
      ['budget', 'null', /started by its run only/],
    ];
    await Promise.all(
      inputs.map(async ([type, sent, said], at) => {
        const id = `typed-${at}`;
        const command = ['workflow', 'start', '--type', type, '--task-queue', TASK_QUEUE, '--workflow-id', id];
        const target = ['--address', world.server.address, '--input', sent];
        await promisify(execFile)(world.server.executable, [...command, ...target], { env: { HOME: world.folder } });
        const { type: failure, message } = await refusal(world.client.workflow.getHandle(id));
        expect(failure).toMatch(/^Input\.(Invalid|NotAllowed)$/);
        expect(message).toMatch(said);
      }),
    );
  });

  it.concurrent('says why it does not start while its repository cannot be reached', async () => {
    const handle = await start(world, 'unreachable', { repo: 'https://127.0.0.1:1/none.git', prompt: 'Do it' });
    const runs = createTemporalRuns({ client: world.client, taskQueue: TASK_QUEUE });
    const report = async (): Promise<unknown> => reportRun({ blobs: world.blobs, runs }, 'unreachable');
    const reason = expect.stringMatching(/none\.git.*trying again/);
    await expect.poll(report).toMatchObject({ status: 'starting', reason });
    await handle.terminate();
  });

  it('costs nothing where it is refused', () => {
    expect(model.calls.length, 'the two that were granted').toBe(2);
  });
});

describe('a worker whose configuration allows it', () => {
  let world: World;
  let model: ScriptedModel;
  beforeAll(async () => {
    world = await createWorld('local');
    model = await world.startModel(done);
    const config: ConfigInput = {
      model: { prices: { x: { input: 1, output: 1 } } },
      rlm: { max_sandboxes: 400, max_cost: 2 },
      worker: {
        allow: {
          endpoints: [{ base_url: model.url, api_key_env: 'LLM_API_KEY' }],
          isolation_none: true,
          folders: [world.folder],
        },
      },
    };
    await world.startWorker({ config });
  }, 120_000);
  afterAll(() => world.close());

  it('does the run, with its own values for what the input does not name', async () => {
    const config = {
      model: { name: 'x', base_url: model.url },
      sandbox: { isolation: 'none' },
      rlm: { max_sandboxes: 300 },
    };
    const handle = await start(world, 'allowed', { repo: world.repository, prompt: 'Do it', config });
    expect(((await handle.result()) as RunOutcome).status).toBe('completed');
    const { runId } = await handle.describe();
    const reference = (await world.blobs.getReference(`runs/allowed@${runId}/run`)) as { spec: string };
    const { config: used } = await world.chains.specification(reference.spec);
    expect(used.rlm).toMatchObject({ max_sandboxes: 300, max_cost: 2 });
    expect(used.model).toMatchObject({ base_url: model.url, api_key_env: 'LLM_API_KEY' });
  });

  it('does a run of a client elsewhere on what that has stored for it, and of nobody else', async () => {
    const values = await storeValues(world.blobs, readSignature('a -> b'), { a: 'x' });
    const stored_inputs = await world.chains.putJson(values);
    const input = { signature: 'a -> b', stored_inputs, config: { model: { name: 'x', base_url: model.url } } };
    const elsewhere = { blobs: world.blobs, stateDirectory: join(world.folder, 'elsewhere') };
    const { input: sent } = await withGrant(elsewhere, 'sent', { type: 'analyze', input });
    expect(((await (await start(world, 'sent', sent, 'analyze')).result()) as RunOutcome).status).toBe('completed');
    const { type, message } = await refusal(await start(world, 'copied', input, 'analyze'));
    expect(type).toBe('Input.NotAllowed');
    expect(message).toContain('stored_inputs names a blob');
  });

  it('says itself what calls cost, where it has a ceiling for that', async () => {
    const config = { model: { name: 'y', base_url: model.url, prices: { y: { input: 0, output: 0 } } } };
    const input = { repo: world.repository, prompt: 'Do it', config };
    expect((await refusal(await start(world, 'own-price', input))).message).toMatch(
      /model\.prices says what the worker/,
    );
    const unpriced = { ...input, config: { model: { name: 'y', base_url: model.url } } };
    expect(await refusal(await start(world, 'no-price', unpriced))).toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringMatching(/rlm\.max_cost \(2\) cannot be held to[^]*model\.prices/),
    });
  });
});

describe('a worker of another user, or on another machine', () => {
  let world: World;
  let model: ScriptedModel;
  beforeAll(async () => {
    world = await createWorld('local');
    model = await world.startModel(done);
  }, 120_000);
  afterAll(() => world.close());

  it('does not go on with a run that it would not have begun, and leaves it to one that does', async () => {
    const stateDirectory = join(world.folder, 'other-state');
    mkdirSync(stateDirectory);
    // Prepared by a worker that may; its first turn is then taken up by one that may not.
    const config: ConfigInput = { temporal: { queues: 'separate' } };
    await world.startWorker({ queues: ['workflows', 'sandboxes'], config });
    const other = await world.startWorker({ queues: ['models'], stateDirectory, host: 'other' });
    const handle = await world.start({ id: 'handed', prompt: 'Do it', model });
    await vi.waitFor(
      async () => {
        const { raw } = await world.client.workflow.getHandle('handed/0').describe();
        const [pending] = raw.pendingActivities ?? [];
        expect(pending?.lastFailure?.applicationFailureInfo?.type).toBe('Worker.NotAllowed');
        expect(pending?.lastFailure?.message).toContain('worker on other does not allow');
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(model.calls).toEqual([]);
    await other.shutdown();
    await world.startWorker({ queues: ['models'] });
    expect(((await handle.result()) as RunOutcome).status).toBe('completed');
  });
});

const SECRET = tool({
  description: 'Reads what only its user may read.',
  parameters: z.object({}),
  run: () => 'secret',
});
