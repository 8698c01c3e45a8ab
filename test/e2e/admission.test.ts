import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ConfigInput } from '../../src/config/schema.ts';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { runReferenceName, type RunOutcome, type RunReference } from '../../src/domain/records.ts';
import { createGrants } from '../../src/grants.ts';
import { withCode, type ScriptedModel } from '../../src/testing/index.ts';
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

const done = { scripts: () => withCode('FINAL("done")') };

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
      ['led-elsewhere', { ...granted, grant: `../grants/${grant}` }],
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
      'as a sub-agent that goes on with a trajectory made up',
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
    expect(result).toMatch(/was not given this task by its run|is not the id of an agent/);
    expect(model.calls.length, 'no model was asked').toBe(asked);
  });

  it('is refused soon where its grant is in another state folder', async () => {
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

  it('gets none of the tools that the worker has for runs of its own', async () => {
    const { type, message } = await refusal(
      await start(
        world,
        'tools',
        {
          signature: 'a -> b',
          inputs: { a: 'x' },
          tools: await world.chains.putJson(toolsOf({ secret: SECRET }).descriptions),
        },
        'analyze',
      ),
    );
    expect(type).toBe('Input.NotAllowed');
    expect(message).toContain('tool secret, which this worker does not offer');
  });

  it('costs nothing where it is refused', () => {
    expect(model.calls.length, 'the one that was granted').toBe(1);
  });
});

describe('a worker whose configuration allows it', () => {
  let world: World;
  let model: ScriptedModel;
  beforeAll(async () => {
    world = await createWorld('local');
    model = await world.startModel(done);
    const config: ConfigInput = {
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
