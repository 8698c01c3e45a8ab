import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type RlmClient } from '../../src/client.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createWorld, type World } from '../e2e/world.ts';

let world: World;
let model: ScriptedModel;
let client: RlmClient;

beforeAll(async () => {
  world = await createWorld();
  model = await world.startModel({
    scripts: [
      forTask('Write a greeting', [withCode('open("greeting.txt", "w").write("hello\\n")\nFINAL({"files": 1})')]),
      forTask('Wait for ever', [() => new Promise(() => undefined)]),
    ],
  });
  client = await connect({
    address: world.server.address,
    cwd: world.folder,
    env: {
      ...process.env,
      DURABLE_RLM_STATE: join(world.folder, 'state'),
      DURABLE_RLM_CACHE: join(world.folder, 'cache'),
    },
    config: { model: { name: 'openai/scripted', base_url: model.url } },
  });
  await world.startWorker();
});

afterAll(async () => {
  await client.close();
  await world.close();
});

describe('the client', () => {
  it('starts a run on a folder and waits for its result', async () => {
    const run = await client.start({ id: 'greet', repo: world.repository, prompt: 'Write a greeting' });
    expect(run).toMatchObject({ id: 'greet', isNew: true });
    const document = await run.result();
    expect(document).toMatchObject({ run_id: 'greet', status: 'completed', answer: { files: 1 }, agents: 1 });
    expect(document.patch).toContain('+hello');
    expect(Buffer.from((await client.patch('greet')) ?? []).toString()).toBe(document.patch);
  });

  it('attaches where the id and the arguments are known, and to nothing else', async () => {
    const again = await client.start({ id: 'greet', repo: world.repository, prompt: 'Write a greeting' });
    expect(again.isNew).toBe(false);
    expect((await again.result()).answer).toEqual({ files: 1 });
    expect((await (await client.attach('greet')).result()).status).toBe('completed');
    const others = [
      { prompt: 'Write another' },
      { branch: 'other' },
      { config: { rlm: { max_iterations: 3 } } },
      { repo: join(world.folder, 'nowhere') },
    ];
    for (const other of others) {
      const request = { id: 'greet', repo: world.repository, prompt: 'Write a greeting', ...other };
      await expect(client.start(request)).rejects.toThrow('was started with other arguments');
    }
    await expect(client.attach('nobody')).rejects.toThrow('There is no run "nobody"');
  });

  it('starts one run when two ask for the same at the same time', async () => {
    const request = { id: 'twice', repo: world.repository, prompt: 'Write a greeting' };
    const both = await Promise.all([client.start(request), client.start(request)]);
    expect(both.map(({ isNew }) => isNew).toSorted((a, b) => Number(a) - Number(b))).toEqual([false, true]);
    expect(both[0].execution).toBe(both[1].execution);
    await both[0].result();
  });

  it('pauses, resumes and cancels; a run that has ended takes no message', async () => {
    const run = await client.start({ id: 'waits', repo: world.repository, prompt: 'Wait for ever' });
    await model.when((call) => call.task.includes('Wait for ever'), 20_000);
    await client.pause('waits', 'lunch');
    expect(await client.status('waits')).toMatchObject({ status: 'paused', reason: 'lunch' });
    await client.resume('waits');
    expect(await client.status('waits')).toMatchObject({ status: 'running' });
    await client.cancel('waits');
    expect((await run.result()).status).toBe('cancelled');
    await expect(client.cancel('waits')).rejects.toThrow('is not running');
  });

  it('lists runs, newest first', async () => {
    expect((await client.list()).map(({ run }) => run)).toEqual(['waits', 'twice', 'greet']);
  });

  it('refuses what cannot be, before anything is started', async () => {
    const request = { repo: world.repository, prompt: 'Write a greeting' };
    await expect(client.start({ ...request, prompt: ' ' })).rejects.toThrow('The prompt is empty');
    await expect(client.start({ ...request, id: 'a/b' })).rejects.toThrow('cannot be a run id');
    await expect(client.start({ ...request, branch: 'none' })).rejects.toThrow('has no branch "none"');
    await expect(client.start({ ...request, config: { rlm: { max_iterations: 0 } } })).rejects.toThrow(
      'max_iterations',
    );
    expect(await client.list()).toHaveLength(3);
  });
});
