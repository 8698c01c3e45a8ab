import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunDocument } from '../../src/results/run-document.ts';
import type { DevServer } from '../../src/temporal/dev-server.ts';
import { forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createDesk, says, type Desk, type Finished } from '../e2e/command.ts';
import { keepServer, runHere } from './in-process.ts';

// Each of these is several processes one after another, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
let model: ScriptedModel;
let refuse = false;
let hold: { promise: Promise<void>; resolve: () => void } | undefined;

beforeAll(async () => {
  desk = await createDesk();
  model = await startScriptedModel({
    scripts: [
      { name: 'refusals', reply: () => (refuse ? { error: { status: 401 } } : undefined), unplayed: () => [] },
      forTask('Let x be two', [
        async () => {
          await hold?.promise;
          return withCode("edit_file('file.py', 'x = 1', 'x = 2')\nprint('edited')");
        },
        withCode('FINAL("x is 2 now")'),
      ]),
      forTask('Only look around', [withCode('FINAL(["nothing", "changed"])')]),
    ],
  });
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file.py'), 'x = 1\n');
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'start');
  desk.configure(`model: {name: openai/scripted, base_url: "${model.url}"}\nsandbox: {memory_mb: 512}\n`);
});

afterAll(async () => {
  hold?.resolve();
  await rlm(['down', '--force']);
  await model.close({ check: false });
  await desk.close();
});

function git(...args: string[]): string {
  return execFileSync('git', ['-C', join(desk.folder, 'repository'), ...args], { encoding: 'utf8' });
}

const rlm = (args: readonly string[]): Promise<Finished> => runHere(desk, args);
const EDIT = ['run', 'repository', '-p', 'Let x be two'];

function json(stdout: Buffer): RunDocument {
  const document: RunDocument = JSON.parse(stdout.toString());
  return document;
}

describe('rlm run', () => {
  let server: DevServer;
  beforeAll(async () => {
    server = await keepServer(desk);
  });
  afterAll(() => server.release({ wait: true }));

  it('prints the patch on standard output, and nothing else there', async () => {
    const { code, stdout, stderr } = await desk.run([...EDIT, '--id', 'edit']);
    expect(stderr).toContain('edit: completed');
    expect(code).toBe(0);
    writeFileSync(join(desk.folder, 'stdout.patch'), stdout);
    git('apply', '--check', join(desk.folder, 'stdout.patch'));
    expect(stderr).toContain('x is 2 now');
  });

  it('repeated, prints the same without asking the model again', async () => {
    const asked = model.calls.length;
    const { code, stdout } = await rlm([...EDIT, '--id', 'edit', '-o', 'edit.patch', '-q']);
    expect(code).toBe(0);
    expect(stdout.toString()).toBe('x is 2 now\n');
    expect(readFileSync(join(desk.folder, 'edit.patch'))).toEqual(readFileSync(join(desk.folder, 'stdout.patch')));
    expect(model.calls).toHaveLength(asked);
  });

  it('refuses an id that was used with other arguments', async () => {
    const { code, stderr } = await rlm(['run', 'repository', '-p', 'Something else', '--id', 'edit']);
    expect(stderr).toContain('was started with other arguments');
    expect(code).toBe(2);
  });

  it('prints the answer where nothing was changed; with --json a document', async () => {
    const plain = await rlm(['run', 'repository', '-p', 'Only look around', '--id', 'look']);
    expect(plain.stdout.toString()).toBe('["nothing","changed"]\n');
    const { code, stdout } = await rlm(['run', 'repository', '-p', 'Only look around', '--id', 'look', '--json']);
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({
      run_id: 'look',
      status: 'completed',
      answer: ['nothing', 'changed'],
      patch: null,
      agents: 1,
      max_depth: 0,
      iterations: 1,
      sandboxes: 1,
      results: 'results/look.detail.json',
    });
  });

  it('writes results files', () => {
    const index: unknown = JSON.parse(readFileSync(join(desk.folder, 'results', 'index.json'), 'utf8'));
    expect(index).toEqual(['look.detail.json', 'edit.detail.json']);
    const detail: unknown = JSON.parse(readFileSync(join(desk.folder, 'results', 'edit.detail.json'), 'utf8'));
    expect(detail).toMatchObject({
      run_id: 'edit',
      root_agent: { agent_id: '0', result: 'x is 2 now', iterations: [{ iteration: 1 }, { iteration: 2 }] },
    });
  });
});

describe('without server and worker', () => {
  it('runs can be listed, looked at, and their results had', async () => {
    const list = await rlm(['list', '--json']);
    expect(JSON.parse(list.stdout.toString())).toMatchObject([
      { run_id: 'look', status: 'completed' },
      { run_id: 'edit', status: 'completed', prompt: 'Let x be two' },
    ]);
    expect((await rlm(['status', 'edit'])).stdout.toString()).toMatch(/^edit · completed\n/);
    expect((await rlm(['result', 'edit'])).stdout.toString()).toBe('x is 2 now\n');
    expect((await rlm(['patch', 'edit'])).stdout).toEqual(readFileSync(join(desk.folder, 'stdout.patch')));
    const watched = await rlm(['watch', 'edit', '--json', '-q']);
    expect(json(watched.stdout).status).toBe('completed');
  });

  it('a person at a terminal sees how to apply the patch', async () => {
    const args = [...EDIT, '--id', 'edit'];
    const { stderr } = await runHere(desk, args, {}, { isTTY: true });
    expect(stderr).toContain(`\nTo apply it: rlm apply edit ${join(desk.folder, 'repository')}\n`);
    expect((await runHere(desk, args)).stderr).not.toContain('To apply it');
  });

  it('of a run that is not there names those that may be meant', async () => {
    const error = async (args: string[]): Promise<string> => (await rlm(args)).stderr;
    const start = 'There is no run';
    expect(await error(['status', 'edti'])).toBe(
      `rlm: ${start} "edti": rlm list shows those there are. Did you mean edit?\n`,
    );
    expect(await error(['cancel', 'loo'])).toBe(
      `rlm: ${start} "loo": rlm list shows those there are. Did you mean look?\n`,
    );
    expect(await error(['view', 'something'])).toBe(`rlm: ${start} "something": rlm list shows those there are.\n`);
  });

  it('a patch is applied to a working tree of the repository, all of it or nothing, and to no other', async () => {
    const clone = join(desk.folder, 'clone');
    execFileSync('git', ['clone', '-q', join(desk.folder, 'repository'), clone]);
    const checked = await rlm(['apply', 'edit', 'clone', '--check']);
    expect(checked.stderr).toContain(`it would change 1 file in ${clone}`);
    expect(readFileSync(join(clone, 'file.py'), 'utf8')).toBe('x = 1\n');
    const applied = await rlm(['apply', 'edit', 'clone']);
    expect(applied.stderr).toContain(`git -C ${clone} diff shows it`);
    expect(applied.code).toBe(0);
    expect(readFileSync(join(clone, 'file.py'), 'utf8')).toBe('x = 2\n');
    const twice = await rlm(['apply', 'edit', 'clone']);
    expect(twice.stderr).toBe(`The patch of run edit is in ${clone} already: there is nothing to apply.\n`);
    expect(twice.code).toBe(0);
    writeFileSync(join(clone, 'file.py'), 'x = 3\n');
    const again = await rlm(['apply', 'edit', 'clone']);
    expect(again.stderr).toContain(`rlm patch edit | git -C ${clone} apply --3way`);
    expect(again.code).toBe(1);
    const other = join(desk.folder, 'other');
    execFileSync('git', ['init', '-q', other]);
    const elsewhere = await rlm(['apply', 'edit', 'other']);
    expect(elsewhere.stderr).toContain(`${other} is another repository`);
    expect(elsewhere.code).toBe(2);
    expect((await rlm(['apply', 'edit', '.'])).stderr).toContain('is not in a working tree of git');
    expect((await rlm(['apply', 'look', 'clone'])).stderr).toContain('Run look changed nothing');
  });

  it.each<readonly [string, readonly string[], boolean]>([
    ['filters', ['filter.evil.clean', 'filter.evil.smudge', 'filter.evil.process'], true],
    ['a promisor that is a program', ['remote.origin.uploadpack'], false],
    ['a program that watches files, and hooks', ['core.fsmonitor', 'core.hooksPath'], true],
  ])('runs nothing that the configuration of the working tree names: %s', async (what, settings, hasCommit) => {
    const tree = join(desk.folder, what.replaceAll(' ', '-'));
    const ran = join(desk.folder, 'ran');
    const evil = join(desk.folder, 'evil');
    writeFileSync(evil, `#!/bin/sh\ntouch ${ran}\ncat\n`, { mode: 0o755 });
    if (hasCommit) execFileSync('git', ['clone', '-q', join(desk.folder, 'repository'), tree]);
    else {
      execFileSync('git', ['init', '-q', tree]);
      execFileSync('git', ['-C', tree, 'remote', 'add', 'origin', desk.folder]);
      execFileSync('git', ['-C', tree, 'config', 'remote.origin.promisor', 'true']);
      execFileSync('git', ['-C', tree, 'config', 'extensions.partialClone', 'origin']);
      execFileSync('git', ['-C', tree, 'config', 'core.repositoryFormatVersion', '1']);
      execFileSync('git', ['-C', tree, 'symbolic-ref', 'HEAD', 'refs/heads/main']);
    }
    writeFileSync(join(tree, '.gitattributes'), '* filter=evil\n');
    for (const name of settings) execFileSync('git', ['-C', tree, 'config', name, evil]);
    const { code, stderr } = await rlm(['apply', 'edit', tree]);
    expect({ code, ran: existsSync(ran) }, stderr).toEqual({ code: hasCommit ? 0 : 2, ran: false });
  });

  it('what an agent did can be read', async () => {
    const { code, stdout } = await rlm(['show', 'edit']);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(
      /^# Agent 0 \(completed\)\n\n## Task\n\nLet x be two\n\n## Iteration 1 [^]*edit_file\('file.py'[^]*\n\nOutput:\n\n```\nedited\n```\n\n## Iteration 2 [^]*## Answer\n\nx is 2 now\n$/,
    );
    const data = await rlm(['show', 'edit', '0', '--json']);
    expect(JSON.parse(data.stdout.toString())).toMatchObject({
      agent_id: '0',
      iterations: [{}, {}],
      result: 'x is 2 now',
    });
    const missing = await rlm(['show', 'edit', '0.7']);
    expect(missing.stderr).toContain('Run edit has no agent 0.7. It has 0.');
    expect(missing.code).toBe(2);
  });

  it('a run that has ended can be neither paused nor cancelled', async () => {
    for (const command of ['pause', 'cancel']) {
      const { code, stderr } = await rlm([command, 'edit']);
      expect(stderr).toContain('has ended already');
      expect(code).toBe(1);
    }
  });
});

describe('Ctrl-C', () => {
  it('once leaves the run to itself, and the same command continues it', async () => {
    hold = Promise.withResolvers();
    const first = desk.start([...EDIT, '--id', 'left']);
    await says(first, /asking the model/);
    process.kill(first.pid, 'SIGINT');
    const left = await first.finished;
    expect(left.code).toBe(130);
    expect(left.stderr).toMatch(/No worker is running; run left is suspended\. Resume it with rlm resume left/);
    expect((await rlm(['status', 'left', '--json'])).stdout.toString()).toContain('"suspended"');
    hold.resolve();
    hold = undefined;
    const { code, stdout } = await rlm([...EDIT, '--id', 'left', '--json', '-q']);
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: 'x is 2 now' });
  });

  it('twice cancels it; nothing is left', async () => {
    hold = Promise.withResolvers();
    const command = desk.start([...EDIT, '--id', 'stopped']);
    await says(command, /asking the model/);
    process.kill(command.pid, 'SIGINT');
    await says(command, /Press Ctrl-C again/);
    process.kill(command.pid, 'SIGINT');
    const { code, stderr } = await command.finished;
    hold.resolve();
    hold = undefined;
    expect(stderr).toContain('stopped: cancelled');
    expect(code).toBe(130);
    expect(await desk.leftovers()).toEqual([]);
  });
});

describe('a refusal for good', () => {
  let server: DevServer;
  beforeAll(async () => {
    server = await keepServer(desk);
  });
  afterAll(() => server.release({ wait: true }));

  it('pauses the run, says why, and ends with 1; rlm resume continues', async () => {
    refuse = true;
    const paused = await rlm([...EDIT, '--id', 'paused', '--json']);
    expect(paused.code).toBe(1);
    expect(json(paused.stdout)).toMatchObject({ status: 'paused', error: expect.stringContaining('401') });
    expect(paused.stderr).toMatch(/Run paused is paused: .*401/);
    refuse = false;
    const { code, stdout } = await rlm(['resume', 'paused', '--json', '-q']);
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({ status: 'completed', answer: 'x is 2 now' });
  });
});

describe('in the background', () => {
  it('a detached run continues, is watched, and rlm down stops what worked on it', async () => {
    const started = await desk.run([...EDIT, '--id', 'detached', '--detach']);
    expect(started.stderr).toContain('rlm watch detached');
    expect(started.code).toBe(0);
    expect(started.stdout.toString()).toBe('detached\n');
    const { code, stdout } = await rlm(['watch', 'detached', '--json']);
    expect(code).toBe(0);
    expect(json(stdout).answer).toBe('x is 2 now');
    const down = await rlm(['down']);
    expect(down.stderr).toMatch(/was stopped[^]*The Temporal server was stopped/);
    expect(down.code).toBe(0);
    expect((await rlm(['down'])).stderr).toContain('Nothing runs in the background');
  });
});

describe('rlm delete', () => {
  it('forgets runs that have ended, with all that they stored', async () => {
    const { code, stderr } = await rlm(['delete', 'look', 'edit']);
    expect(stderr).toMatch(/Run look is deleted\. Temporal deletes \d+ workflows of it[^]*Run edit is deleted/);
    expect(code).toBe(0);
    const references = readdirSync(join(desk.state, 'blobs', 'references', 'runs'), { recursive: true }).map(String);
    const kept = references.filter((name) => name.endsWith('.json'));
    expect(kept.filter((name) => /^(look|edit)%40/.test(name))).toEqual([]);
    expect(kept).not.toEqual([]);
    // As long as Temporal has its workflow, and after.
    const gone = await rlm(['result', 'look']);
    expect(gone.stderr).toMatch(/nothing of it is kept here: it was deleted|There is no run "look"/);
    expect(gone.code).toBe(2);
    expect((await rlm(['delete', 'nobody'])).code).toBe(2);
  });
});
