import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type RlmClient } from '../../src/client.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createWorld, type World } from '../e2e/world.ts';

let world: World;
let model: ScriptedModel;
let client: RlmClient;
let failing = true;
const log: string[] = [];

beforeAll(async () => {
  world = await createWorld();
  model = await world.startModel({
    scripts: [
      forTask('Write a greeting', [withCode('open("greeting.txt", "w").write("hello\\n")\nFINAL({"files": 1})')]),
      forTask('Fail once', [withCode('x = 1'), () => (failing ? { error: { status: 401 } } : withCode('FINAL(x)'))]),
      forTask('Look at the package', [withCode('FINAL(__import__("os").path.isdir("pkg"))')]),
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
    log: (line) => log.push(line),
  });
});

afterAll(async () => {
  await client.close();
  await world.close();
});

describe('the client', () => {
  it('says within a second that no worker is there', async () => {
    const advice = 'start one for task queue durable-rlm with rlm up, rlm worker, or work() of this client';
    expect(log).toEqual([`No worker polls task queue durable-rlm of ${world.server.address} yet: ${advice}.`]);
    const run = await client.start({ id: 'greet', repo: world.repository, prompt: 'Write a greeting' });
    expect(run).toMatchObject({ id: 'greet', isNew: true });
    expect(run.warnings).toEqual([`No worker has taken up run greet yet: ${advice}.`]);
  });

  it('starts a run on a folder and waits for its result', async () => {
    await world.startWorker();
    const run = await client.attach('greet');
    const document = await run.result();
    expect(document).toMatchObject({ run_id: 'greet', status: 'completed', answer: { files: 1 }, agents: 1 });
    expect(document.patch).toContain('+hello');
    expect(Buffer.from((await client.patch('greet')) ?? []).toString()).toBe(document.patch);
  });

  it('takes a folder inside of a repository for what the run is about', async () => {
    const repo = join(world.repository, 'pkg');
    const run = await client.start({ id: 'inside', repo, prompt: 'Look at the package' });
    expect(run.warnings).toEqual([
      `${repo} is the folder pkg of the repository ${world.repository}. Agents have the whole repository, and are told that ` +
        'the task is about this folder.',
    ]);
    expect((await run.result()).answer).toBe(true);
    expect(model.calls.filter(({ task }) => task.includes('The task is about its folder "pkg"'))).toHaveLength(1);
  });

  it('retries one that failed, under its id and with another configuration', async () => {
    const config = { model: { name: 'openai/scripted', base_url: model.url }, rlm: { on_error: 'fail' as const } };
    const first = await client.start({ id: 'failed', repo: world.repository, prompt: 'Fail once', config });
    expect((await first.result()).status).toBe('failed');
    failing = false;
    const again = await client.retry('failed', { config: { rlm: { max_iterations: 7 } } });
    expect(await again.result()).toMatchObject({ status: 'completed', answer: '1', iterations: 2 });
    await expect(client.retry('failed')).rejects.toThrow('has completed');
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
    expect((await client.list()).map(({ run }) => run)).toEqual(['waits', 'twice', 'failed', 'inside', 'greet']);
  });

  it('refuses what cannot be, before anything is started', async () => {
    const request = { repo: world.repository, prompt: 'Write a greeting' };
    await expect(client.start({ ...request, prompt: ' ' })).rejects.toThrow('The prompt is empty');
    await expect(client.start({ ...request, id: 'a/b' })).rejects.toThrow('cannot be a run id');
    await expect(client.start({ ...request, branch: 'none' })).rejects.toThrow('has no branch "none"');
    await expect(client.start({ ...request, config: { rlm: { max_iterations: 0 } } })).rejects.toThrow(
      'max_iterations',
    );
    expect(await client.list()).toHaveLength(5);
  });
});
