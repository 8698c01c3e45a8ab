import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DevServer } from '../../src/temporal/dev-server.ts';
import {
  forTask,
  startScriptedModel,
  withCode,
  type ScriptedModel,
  type ScriptedReply,
} from '../../src/testing/index.ts';
import { createDesk, says, type Desk, type Finished } from '../e2e/command.ts';
import { keepServer, runHere } from './in-process.ts';
import { describeLong } from '../sizes.ts';

// Each of these is several processes one after another, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
let model: ScriptedModel;
let server: DevServer | undefined;
let hold: { promise: Promise<void>; resolve: () => void } | undefined;

beforeAll(async () => {
  desk = await createDesk();
  model = await startScriptedModel({
    scripts: [
      forTask('Look around', [
        async () => {
          await hold?.promise;
          return withCode('FINAL("nothing to see")');
        },
      ]),
      forTask('Spend it', [
        costing(withCode('x = 1'), 0.6),
        costing(withCode('x += 1'), 0.6),
        costing(withCode('FINAL(x)'), 0.6),
      ]),
      forTask('You are an analyst', [withCode('SUBMIT(b=2)')]),
    ],
  });
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file.py'), 'x = 1\n');
  const git = (...args: string[]): void => void execFileSync('git', ['-C', repository, ...args]);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'start');
  const prices = '{openai/scripted: {input: 0, output: 0}}';
  const config = `model: {name: openai/scripted, base_url: "${model.url}", prices: ${prices}}\nsandbox: {memory_mb: 512}\n`;
  desk.configure(config);
  writeFileSync(join(desk.folder, 'budget.yaml'), `${config}rlm: {max_cost: 1}\n`);
});

afterAll(async () => {
  hold?.resolve();
  await server?.release();
  await rlm(['down', '--force']);
  await model.close({ check: false });
  await desk.close();
});

const rlm = (args: readonly string[]): Promise<Finished> => runHere(desk, args);
const RUN = ['run', 'repository', '-p', 'Look around'];

const costing = (text: string, usd: number): ScriptedReply => ({ text, usage: { cost: usd } });

async function statusOf(run: string): Promise<string | undefined> {
  const { stdout } = await rlm(['list', '--json']);
  const listed: { run_id: string; status: string }[] = JSON.parse(stdout.toString());
  return listed.find(({ run_id }) => run_id === run)?.status;
}

describeLong('a run that no worker has begun', () => {
  it('is known, with what to type, while its server runs and when it does not', async () => {
    const waiting = desk.start([...RUN, '--id', 'waiting', '--no-worker']);
    await says(waiting, /no worker has started it yet. rlm resume waiting/);
    expect(await statusOf('waiting')).toBe('suspended');
    process.kill(waiting.pid, 'SIGTERM');
    const left = await waiting.finished;
    expect(left.code).toBe(130);
    expect(left.stderr).toMatch(/run waiting is suspended/);
    // Its server has ended with it: only its database knows the run.
    const status = await rlm(['status', 'waiting']);
    expect(status.stdout.toString()).toMatch(/waiting · suspended\nno worker has started it yet. rlm resume waiting/);
    server = await keepServer(desk);
    const result = await rlm(['result', 'waiting', '-o', 'early.txt']);
    expect(result.stderr).toContain('Run waiting has not ended (suspended)');
    expect(result.code).toBe(1);
    expect(existsSync(join(desk.folder, 'early.txt'))).toBe(false);
    expect((await rlm(['status', 'nobody'])).code).toBe(2);
    const { code, stdout } = await rlm(['resume', 'waiting', '-q']);
    expect(stdout.toString()).toBe('nothing to see\n');
    expect(code).toBe(0);
  });

  it('its answer goes to a file; its budget cannot be changed when it has ended', async () => {
    const { code, stdout } = await rlm(['result', 'waiting', '-o', 'answer.txt']);
    expect(code).toBe(0);
    expect(stdout.toString()).toBe('');
    expect(readFileSync(join(desk.folder, 'answer.txt'), 'utf8')).toBe('nothing to see\n');
    const budget = await rlm(['budget', 'waiting', '--max-cost', '3']);
    expect(budget.stderr).toContain('Run waiting has ended already');
    expect(budget.code).toBe(1);
  });
});

describe('a run whose money is used up', () => {
  const raise = 'rlm budget spent --max-cost <more> && rlm resume spent';

  it('says how it continues, and continues so although it sleeps', async () => {
    const paused = await rlm(['run', 'repository', '-p', 'Spend it', '--id', 'spent', '-c', 'budget.yaml']);
    expect(paused.stderr).toContain(`Resume it with ${raise}.`);
    expect(paused.stderr).not.toContain('<run>');
    expect(paused.code).toBe(1);
    expect((await rlm(['budget', 'spent', '--max-cost', '3'])).stderr).toContain('resume it with rlm resume spent');
    const { code, stdout, stderr } = await rlm(['resume', 'spent', '--json']);
    expect(stderr).toContain('spent: completed');
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({ status: 'completed', answer: '2' });
  });
});

describe('with a worker in the background', () => {
  it('a detached run takes no output file', async () => {
    const { code, stderr } = await rlm([...RUN, '--id', 'refused', '--detach', '-o', 'x.patch']);
    expect(stderr).toContain('rlm patch refused -o x.patch');
    expect(code).toBe(2);
    expect(await statusOf('refused')).toBeUndefined();
  });

  it('who leaves is told that the run continues, the list shows a pause, and rlm resume -o writes what came of it', async () => {
    hold = Promise.withResolvers();
    expect((await desk.run([...RUN, '--id', 'shared', '--detach'])).code).toBe(0);
    const here = desk.start([...RUN, '--id', 'shared']);
    await says(here, /asking the model/);
    process.kill(here.pid, 'SIGTERM');
    expect((await here.finished).stderr).toContain('Run shared continues on its workers');
    for (const command of ['pause', 'resume']) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      const { code, stderr } = await rlm([command, 'shared', '--agent', '0.7']);
      expect(stderr).toContain(`The message ${command} was not delivered: agent 0.7 has ended, or was never started.`);
      expect(code).toBe(1);
    }
    await rlm(['pause', 'shared']);
    expect(await statusOf('shared')).toBe('paused');
    hold.resolve();
    hold = undefined;
    const resumed = await rlm(['resume', 'shared', '-o', 'shared.patch', '--json']);
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.stdout.toString())).toMatchObject({ status: 'completed', answer: 'nothing to see' });
    expect(readFileSync(join(desk.folder, 'shared.patch'), 'utf8')).toBe('');
  });
});

describe('an analysis', () => {
  it('has no patch', async () => {
    const analysis = await rlm(['analyze', '-s', 'a: int -> b: int', '-i', 'a=1', '--id', 'sum', '-q']);
    expect(analysis.stderr).toBe('');
    expect(analysis.code).toBe(0);
    const { code, stderr } = await rlm(['patch', 'sum']);
    expect(stderr).toContain('is an analysis and has no patch: rlm result sum');
    expect(code).toBe(2);
  });
});
