import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Notice } from '../../src/domain/notice.ts';
import type { RunDocument } from '../../src/results/run-document.ts';
import { forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import type { DevServer } from '../../src/temporal/dev-server.ts';
import { createDesk, says, type Desk, type Finished } from '../e2e/command.ts';
import { keepServer, runHere } from './in-process.ts';

/** How a person comes back to a run: after a night, a wrong key, a limit that was too small, a mistake. */
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
let model: ScriptedModel;
let server: DevServer;
let refused: string | undefined;
let slow = true;
let failing = false;
let hold: { promise: Promise<void>; resolve: () => void } | undefined;

const held = async (): Promise<void> => hold?.promise;

beforeAll(async () => {
  desk = await createDesk();
  model = await startScriptedModel({
    scripts: [
      {
        name: 'refusals',
        reply: ({ model: name }) => (name === refused ? { error: { status: 401 } } : undefined),
        unplayed: () => [],
      },
      forTask('Sleep well', [async () => (await held(), withCode('FINAL("awake")'))]),
      forTask('Take your time', [withCode('x = 20'), () => (slow ? { hang: true } : withCode('FINAL(x + 1)'))]),
      forTask('Fail once', [
        withCode('y = 1'),
        () => (failing ? { error: { status: 401 } } : withCode('FINAL(y + 1)')),
      ]),
      forTask('Wait for a key', [withCode('z = 1'), withCode('FINAL(z + 2)')]),
      forTask('Wait there', [async () => (await held(), withCode('FINAL("there")'))]),
    ],
  });
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file.py'), 'x = 1\n');
  const git = (...args: string[]): void => void execFileSync('git', ['-C', repository, ...args]);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'start');
  configure();
  server = await keepServer(desk);
  // It takes its seconds while other things happen.
  file('late', 'temporal: {task_queue: late}\n');
  timedOut = rlm(run('late', 'Take your time', '--json', '--timeout', '8', '--max-cost', '3', ...late));
});

afterAll(async () => {
  hold?.resolve();
  await server.release({ wait: true });
  await model.close({ check: false });
  await desk.close();
});

/** The user's own configuration. */
function configure(name = 'openai/scripted', more = 'sandbox: {memory_mb: 512}\n'): void {
  const notify = 'notify: {command: [sh, -c, "cat >>$HOME/notices"], on: [paused, failed, completed]}\n';
  const prices = '{openai/scripted: {input: 0, output: 0}, openai/dear: {input: 0, output: 0}}';
  desk.configure(`model: {name: ${name}, base_url: "${model.url}", prices: ${prices}}\n${notify}${more}`);
}

function file(name: string, yaml: string): string {
  writeFileSync(join(desk.folder, `${name}.yaml`), yaml);
  return `${name}.yaml`;
}

const run = (id: string, prompt: string, ...more: string[]): string[] => [
  'run',
  'repository',
  '-p',
  prompt,
  '--id',
  id,
  ...more,
];

const rlm = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished> => runHere(desk, args, env);
const json = (stdout: Buffer): RunDocument => JSON.parse(stdout.toString());
const asked = (task: string): number => model.calls.filter((call) => call.task.includes(task)).length;

const sleepy = ['-c', 'sleepy.yaml'];
let sleepsSince: number;
const late = ['-c', 'late.yaml'];
let timedOut: Promise<Finished>;

describe('a run whose machine slept', () => {
  it('is suspended, and says how it continues', async () => {
    hold = Promise.withResolvers();
    file('sleepy', 'temporal: {task_queue: sleepy}\nrlm: {global_timeout: 15, max_cost: 1}\n');
    const first = desk.start(run('sleeper', 'Sleep well', ...sleepy));
    await says(first, /asking the model/);
    first.kill();
    await first.finished;
    sleepsSince = Date.now();
    hold.resolve();
    hold = undefined;
    const { stdout } = await rlm(['status', 'sleeper', ...sleepy]);
    expect(stdout.toString()).toMatch(/^sleeper · suspended\n.*\n.*rlm resume sleeper/);
    const listed = async (): Promise<unknown> => {
      const list = JSON.parse((await rlm(['list', '--json', ...sleepy])).stdout.toString()) as { run_id: string }[];
      return list.find(({ run_id }) => run_id === 'sleeper');
    };
    const before = await listed();
    expect(before).toMatchObject({ status: 'suspended' });
    // Its clock stands.
    expect(await listed()).toEqual(before);
  });

  it('can be paused and given more meanwhile', async () => {
    const paused = await rlm(['pause', 'sleeper', ...sleepy]);
    expect(paused.stderr).toContain('Run sleeper is suspended');
    expect(paused.code).toBe(0);
    const budget = await rlm(['budget', 'sleeper', '--max-cost', '2', ...sleepy]);
    expect(budget.stderr).toContain('has new limits: rlm.max_cost 2');
    expect(budget.code).toBe(0);
  });
});

describe('a run that timed out', () => {
  it('has its exit code, from rlm result too; more time takes it up where it ended', async () => {
    const first = await timedOut;
    expect(json(first.stdout)).toMatchObject({ status: 'timed_out', answer: null });
    expect(first.code).toBe(124);
    expect((await rlm(['result', 'late'])).code).toBe(124);
    slow = false;
    const before = asked('Take your time');
    const { code, stdout, stderr } = await rlm(['resume', 'late', '--more-time', '60', '--json', ...late]);
    expect(stderr).toContain('Run late begins again where it ended (timed_out)');
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: '21', iterations: 2 });
    expect(code).toBe(0);
    // The call that hung was not answered; the one before it is not made again.
    expect(asked('Take your time')).toBe(before + 1);
    const result = await rlm(['result', 'late']);
    expect(result.stdout.toString()).toBe('21\n');
    expect(result.code).toBe(0);
  });
});

describe('a run that failed', () => {
  it('is retried under its id, with the configuration of now, and keeps what was paid for', async () => {
    failing = true;
    const first = await rlm(run('failed', 'Fail once', '--set', 'rlm.on_error=fail'));
    failing = false;
    expect(first.stderr).toContain('failed: failed');
    expect(first.code).toBe(1);
    expect((await rlm(['result', 'failed'])).code).toBe(1);
    const { code, stdout, stderr } = await rlm(['retry', 'failed', '--json', '--max-iterations', '5']);
    expect(stderr).toContain('Run failed continues with rlm.max_iterations 5 (it was 50).');
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: '2', iterations: 2 });
    expect(code).toBe(0);
    // How it had ended before is neither said again nor written as its result.
    expect(stderr).not.toContain('agent 0 failed');
    expect(stderr).toContain('agent 0 done');
    const results = join(desk.folder, 'results', 'failed.detail.json');
    expect(JSON.parse(readFileSync(results, 'utf8'))).toMatchObject({
      root_agent: { status: 'completed', result: '2' },
    });
    expect(
      model.calls.filter(({ task, outcome }) => task.includes('Fail once') && outcome === 'answered'),
    ).toHaveLength(2);
    // Others are at work beside it.
    expect((await desk.leftovers()).filter((each) => each.includes('rlm-failed-'))).toEqual([]);
  });

  it('is not retried when it has completed, nor when nobody knows it', async () => {
    const completed = await rlm(['retry', 'failed']);
    expect(completed.stderr).toContain('Run failed has completed: rlm result failed shows its answer');
    expect(completed.code).toBe(2);
    expect((await rlm(['retry', 'nobody'])).stderr).toContain('There is no run "nobody"');
  });
});

describe('a run that is paused by a refusal', () => {
  it('continues with the model that the configuration names now, and says what it cannot take', async () => {
    refused = 'dear';
    configure('openai/dear');
    hold = Promise.withResolvers();
    const other = desk.start(run('other', 'Wait there', '-c', file('other', `model: {name: openai/scripted}\n`)));
    await says(other, /asking the model/);
    other.kill();
    const paused = await rlm(run('keyless', 'Wait for a key', '--max-cost', '2'));
    expect(paused.stderr).toMatch(
      /This worker also takes up 1 open run of .*\n {2}other: \$0 spent without a limit of cost/,
    );
    expect(paused.stderr).toContain('Run keyless is paused:');
    expect(paused.stderr.match(/rlm resume keyless/g)).toHaveLength(1);
    expect(paused.code).toBe(1);
    hold.resolve();
    hold = undefined;
    configure('openai/scripted', 'sandbox: {memory_mb: 768}\n');
    const listed = (await rlm(['list'])).stdout.toString();
    expect(listed).toMatch(/keyless +suspended/);
    const { code, stdout, stderr } = await rlm(['resume', 'keyless', '--json']);
    expect(stderr).toContain('Run keyless continues with model.name openai/scripted (it was openai/dear).');
    expect(stderr).toContain('It keeps sandbox.memory_mb (512): that cannot change in a run that is open.');
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: '3' });
    expect(code).toBe(0);
  });

  it('repeated with other arguments, says which differ', async () => {
    const { code, stderr } = await rlm(run('keyless', 'Something else', '--max-cost', '5', '-b', 'main'));
    expect(stderr).toContain('prompt ("Wait for a key" then, "Something else" now)');
    expect(stderr).toContain('branch ("main" now, not given then)');
    expect(stderr).toContain('rlm.max_cost (2 then, 5 now)');
    expect(code).toBe(2);
  });
});

describe('a run whose machine slept for long', () => {
  it('does not time out of it: without a worker there is no clock', { timeout: 60_000 }, async () => {
    await vi.waitFor(() => expect(Date.now() - sleepsSince).toBeGreaterThan(17_000), {
      timeout: 30_000,
      interval: 200,
    });
    const { code, stdout, stderr } = await rlm(['resume', 'sleeper', '--json', ...sleepy]);
    expect(stderr).toContain('sleeper: completed');
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: 'awake' });
    expect(code).toBe(0);
  });
});

describe('who is not looking', () => {
  it('is told of every end and every pause, with the command that continues', () => {
    const lines = readFileSync(join(desk.folder, 'notices'), 'utf8').trim().split('\n');
    const notices = lines.map((line) => JSON.parse(line) as Notice);
    const told = (id: string): string[] =>
      notices.filter(({ run: of }) => of === id).map(({ status, next }) => `${status}: ${next}`);
    expect(told('late')).toEqual(['timed_out: rlm result late', 'completed: rlm result late']);
    expect(told('failed')).toEqual(['failed: rlm result failed', 'completed: rlm result failed']);
    expect(told('keyless')).toEqual(['paused: rlm resume keyless', 'completed: rlm result keyless']);
    expect(notices.find(({ event, run: of }) => event === 'paused' && of === 'keyless')?.reason).toContain('401');
  });
});

describe('a backup of the state folder', () => {
  it('holds a run that is open, which continues from it', async () => {
    refused = 'scripted';
    const paused = await rlm(run('kept', 'Wait for a key'));
    expect(paused.stderr).toContain('Run kept is paused:');
    refused = undefined;
    expect((await rlm(['down', '--force'])).code).toBe(0);
    const copy = join(desk.folder, 'restored');
    execFileSync('cp', ['-a', desk.state, copy]);
    rmSync(desk.state, { recursive: true });
    const { code, stdout } = await rlm(['resume', 'kept', '--json'], { DURABLE_RLM_STATE: copy });
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: '3' });
    expect(code).toBe(0);
    // What ended before is there as well.
    const result = await rlm(['result', 'keyless'], { DURABLE_RLM_STATE: copy });
    expect(result.stdout.toString()).toBe('3\n');
    await rlm(['down', '--force'], { DURABLE_RLM_STATE: copy });
  });
});
