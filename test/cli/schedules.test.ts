import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ScheduleHealth } from '../../src/cli/schedule/health.ts';
import type { ComparedFindings } from '../../src/domain/findings.ts';
import { forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createDesk, says, type Desk, type Finished, type RunningCommand } from '../e2e/command.ts';
import { git } from '../e2e/world.ts';
import { itLong } from '../sizes.ts';
import { runHere } from './in-process.ts';

/** `rlm schedule`, as a person types it, beside `rlm up`. */
vi.setConfig({ testTimeout: 180_000 });

let desk: Desk;
let model: ScriptedModel;
let up: RunningCommand;

/** What each text has the first time and the second. */
const ISSUES: Readonly<Record<string, readonly string[]>> = {
  'one text': [
    '[{"file": "a", "line": 1}, {"file": "b", "line": 1}]',
    '[{"file": "a", "line": 1}, {"file": "c", "line": 7}]',
  ],
  'first of a batch': ['[{"file": "a", "line": 1}]', '[{"file": "a", "line": 2}]'],
  'second of a batch': ['[]', '[{"file": "a", "line": 1}]'],
};

beforeAll(async () => {
  desk = await createDesk();
  const analyses = new Map<string, number>();
  model = await startScriptedModel({
    scripts: [
      forTask('look at the repository', [withCode('FINAL("seen")')]),
      ({ opening, turn }) => {
        const text = Object.keys(ISSUES).find((each) => opening.includes(each));
        if (text === undefined) return undefined;
        const done = (analyses.get(text) ?? 0) + (turn === 0 ? 1 : 0);
        analyses.set(text, done);
        return withCode(`SUBMIT(issues=${ISSUES[text]?.[done - 1]})`);
      },
    ],
  });
  desk.configure(
    JSON.stringify({
      model: { name: 'openai/scripted', base_url: model.url, check: false },
      sandbox: desk.settings.sandbox,
    }),
  );
  writeFileSync(
    join(desk.folder, 'findings.yaml'),
    JSON.stringify({ rlm: { findings: { field: 'issues', key: ['file'] } } }),
  );
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'a.txt'), 'a');
  git(repository, 'init', '-q', '-b', 'main');
  git(repository, 'add', '-A');
  git(repository, 'commit', '-q', '-m', 'all');
  mkdirSync(join(repository, 'new'));
  up = await startUp();
}, 120_000);
afterAll(async () => {
  await desk.close();
  await model.close({ check: false });
}, 120_000);

async function startUp(): Promise<RunningCommand> {
  const command = desk.start(['up']);
  await says(command, /Working on task queue/);
  return command;
}

const rlm = (args: readonly string[]): Promise<Finished> => runHere(desk, ['schedule', ...args]);
const REPOSITORY = ['--repo', 'repository', '-p', 'look at the repository'];

/** Temporal names a run after the second in which its schedule is triggered. */
async function nextSecond(): Promise<void> {
  await delay(1000 - (Date.now() % 1000));
}

async function health(name: string): Promise<ScheduleHealth> {
  const { stdout, stderr } = await rlm(['show', name, '--json']);
  if (stdout.length === 0) throw new Error(stderr);
  return JSON.parse(stdout.toString()) as ScheduleHealth;
}

const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 90_000, interval: 300 });

describe('rlm schedule', () => {
  it('refuses in a sentence what Temporal does not take, and folders that are not there', async () => {
    const create = (...args: string[]): string[] => ['create', 'wrong', ...args];
    for (const [args, message] of [
      [create('--cron', '61 * * * *', ...REPOSITORY), /^rlm: .*Minute is not in range \[0-59\]\.$/m],
      [create('--cron', '0 3 * * *', '--timezone', 'Mars/Phobos', ...REPOSITORY), /unknown time zone Mars\/Phobos/],
      [create('--every', '5x', ...REPOSITORY), /'5x' is invalid\. It must be such as 90s, 30m, 6h or 1d/],
      [create('--every', '0s', ...REPOSITORY), /'0s' is invalid\. It must be more than nothing/],
      [create('--every', '5m', '--jitter', 'some', ...REPOSITORY), /'some' is invalid/],
      [create('--every', '5m', '--catchup', '9s', ...REPOSITORY), /'9s' is invalid\. It must be at least 10s/],
      [create('--every', '5m', '--repo', 'nowhere', '-p', 'x'), /^rlm: There is no folder .*nowhere\.$/m],
      [create('--every', '5m', '--repo', 'repository/new', '-p', 'x'), /has no folder "new" at commit/],
      [create('--every', '5m', '--branch', 'mian', ...REPOSITORY), /has no branch "mian"\. Close to it: main\.$/m],
      [create('--every', '5m', '--batch', 'none.csv', ...REPOSITORY), /^rlm: There is no file none\.csv with items/m],
      [
        create('--every', '5m', '--only-if-changed', '-s', 'n: int -> m: int', '-i', 'n=1'),
        /is for runs on a repository/,
      ],
      [
        create('--every', '5m', '-s', 'n: int -> m: int', '-i', 'n=1', '--instructions', '@none.md'),
        /^rlm: There is no file none\.md with instructions/m,
      ],
      [['create', 'a b', '--every', '5m', ...REPOSITORY], /"a b" cannot be the name of a schedule/],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one server
      const { code, stderr } = await rlm(args);
      expect(code, stderr).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain('please report it');
    }
    expect((await rlm(['create', 'wrong', '--every', '5x'])).stderr).toContain(
      '(rlm schedule create --help shows what it takes)',
    );
    expect((await rlm(['show', 'wrong'])).stderr).toContain('There is no schedule "wrong"');
  });

  it('of a folder starts runs that the worker of this machine does: triggered, changed, paused and deleted', async () => {
    const times = ['--cron', '0 3 * * 1-5', '--timezone', 'Europe/Berlin'];
    const created = await rlm(['create', 'nightly', ...times, ...REPOSITORY]);
    expect(created.code, created.stderr).toBe(0);
    expect((await rlm(['create', 'nightly', ...times, ...REPOSITORY])).stderr).toContain('There is a schedule nightly');
    expect((await rlm(['trigger', 'nightly'])).stderr).toMatch(/Schedule nightly starts a run now\.\n$/);
    await eventually(async () => expect(await health('nightly')).toMatchObject({ last_result: 'completed', runs: 1 }));
    const { last_run } = await health('nightly');
    expect((await runHere(desk, ['result', last_run ?? ''])).stdout.toString()).toBe('seen\n');
    expect((await rlm(['show', 'nightly'])).stdout.toString()).toMatch(
      /when {8}0 3 \* \* 1-5 \(Europe\/Berlin\)\noverlap {5}skip\ncatch-up {4}1 day\n/,
    );
    await rlm(['update', 'nightly', '--every', '6h', '--overlap', 'buffer_one', '--catchup', '90m', '--jitter', '5m']);
    expect((await rlm(['show', 'nightly'])).stdout.toString()).toMatch(
      /when {8}every 6 h, up to 5 min later\noverlap {5}buffer_one\ncatch-up {4}90 min\n/,
    );
    await rlm(['pause', 'nightly', '--note', 'on holiday']);
    expect(await health('nightly')).toMatchObject({ paused: true, note: 'on holiday', next_run_at: null });
    await rlm(['resume', 'nightly']);
    expect(await health('nightly')).toMatchObject({ paused: false });
    writeFileSync(join(desk.folder, 'unserved.yaml'), 'temporal: {task_queue: unserved}\n');
    expect((await rlm(['trigger', 'nightly', '-c', 'unserved.yaml'])).stderr).toMatch(
      /starts a run now\. No worker is there: (npx )?rlm up starts one\.\n$/,
    );
    await rlm(['delete', 'nightly']);
    expect((await rlm(['list'])).stdout.toString()).not.toContain('nightly');
    expect((await runHere(desk, ['result', last_run ?? ''])).code).toBe(0);
  });

  it('of an analysis with findings reports the second time what is new, and what is gone', async () => {
    const analysis = ['-c', 'findings.yaml', '-s', 'text -> issues: list[dict]', '-i', 'text=one text'].concat([
      '--instructions',
      '@how.md',
    ]);
    writeFileSync(join(desk.folder, 'how.md'), 'Look closely.');
    const created = await rlm(['create', 'review', '--every', '12h', ...analysis]);
    expect(created.code, created.stderr).toBe(0);
    const found: ComparedFindings[] = [];
    for (const runs of [1, 2]) {
      /* oxlint-disable no-await-in-loop -- the second is compared with the first */
      await nextSecond();
      await rlm(['trigger', 'review']);
      await eventually(async () => expect(await health('review')).toMatchObject({ last_result: 'completed', runs }));
      const { last_run } = await health('review');
      const { stdout, stderr } = await runHere(desk, ['findings', last_run ?? '', '--json']);
      expect(stderr).toBe('');
      found.push(JSON.parse(stdout.toString()) as ComparedFindings);
      /* oxlint-enable no-await-in-loop */
    }
    expect(found[0]).toMatchObject({ new: [{ file: 'a' }, { file: 'b' }], gone: [], open: [], since: null });
    expect(found[1]).toMatchObject({ new: [{ file: 'c', line: 7 }], gone: [{ file: 'b' }], open: [{ file: 'a' }] });
    const text = (await runHere(desk, ['findings', (await health('review')).last_run ?? ''])).stdout.toString();
    expect(text).toMatch(/^1 new, 0 changed, 1 gone, 1 still open, since review-.*\n\n## New\n\n- file: c, line: 7\n/);
    expect(text).not.toContain('file: a');
    const { last_run: last } = await health('review');
    const { stdout } = await runHere(desk, ['list', '--json']);
    const listed = JSON.parse(stdout.toString()) as { run_id: string; prompt: string }[];
    expect(listed.find(({ run_id }) => run_id === last)?.prompt).toContain('Look closely.');
    await rlm(['delete', 'review']);
  });

  it('of a batch with findings compares each item with itself at the occurrence before', async () => {
    writeFileSync(join(desk.folder, 'items.csv'), 'id,text\nx,first of a batch\ny,second of a batch\n');
    const batch = ['-c', 'findings.yaml', '--batch', 'items.csv', '-s', 'text -> issues: list[dict]'];
    const created = await rlm(['create', 'every', '--every', '12h', ...batch]);
    expect(created.code, created.stderr).toBe(0);
    for (const runs of [1, 2]) {
      /* oxlint-disable no-await-in-loop -- the second is compared with the first */
      await nextSecond();
      await rlm(['trigger', 'every']);
      await eventually(async () => expect(await health('every')).toMatchObject({ last_result: 'completed', runs }));
      /* oxlint-enable no-await-in-loop */
    }
    const { last_run } = await health('every');
    const text = (await runHere(desk, ['findings', last_run ?? ''])).stdout.toString();
    expect(text).toMatch(
      /^# x\n\n0 new, 1 changed, 0 gone, 0 still open, since every-.*\n\n## Changed\n\n- file: a, line: 2 .*\n# y\n\n1 new, 0 changed/s,
    );
    const json = JSON.parse(
      (await runHere(desk, ['findings', last_run ?? '', '--json'])).stdout.toString(),
    ) as object[];
    expect(json).toMatchObject([
      { item: 'x', new: [], changed: [{ before: { line: 1 }, now: { line: 2 } }] },
      { item: 'y', new: [{ file: 'a', line: 1 }], changed: [] },
    ]);
    const report = (await runHere(desk, ['result', last_run ?? ''])).stdout.toString();
    expect(report).toContain('Findings: 1 new, 1 changed, 0 gone, 0 still open.');
    await rlm(['delete', 'every']);
  });

  itLong('makes up for a time that has passed, run after run', async () => {
    await rlm(['create', 'hourly', '--cron', '0 * * * *', ...REPOSITORY]);
    const backfill = ['backfill', 'hourly', '--from', '2026-01-30T00:30:00Z', '--to', '2026-01-30T03:30:00Z'];
    expect((await rlm(backfill)).stderr).toContain('starts the runs from 2026-01-30T00:30:00.000Z');
    await eventually(async () => expect(await health('hourly')).toMatchObject({ last_result: 'completed', runs: 3 }));
    const shown = (await rlm(['show', 'hourly'])).stdout.toString();
    for (const hour of ['01', '02', '03']) expect(shown).toContain(`hourly-2026-01-30T${hour}:00:00Z`);
    await rlm(['delete', 'hourly']);
  });

  itLong('shows in red what it missed while no server was there, and makes up for it', async () => {
    await rlm(['create', 'often', '--every', '4s', '--catchup', '10s', '--overlap', 'buffer_all', ...REPOSITORY]);
    await eventually(async () => expect((await health('often')).last_result).toBe('completed'));
    const left = new Date();
    process.kill(up.pid, 'SIGINT');
    expect((await up.finished).code).not.toBeNull();
    // No process of this desk: the server has ended with the last that used it.
    await delay(40_000);
    const back = new Date();
    up = await startUp();
    await eventually(async () => expect((await health('often')).missed).toBeGreaterThan(3));
    await rlm(['pause', 'often']);
    const { missed } = await health('often');
    // All of that time but the catch-up window, which is made up for by itself.
    expect(missed).toBeLessThanOrEqual(Math.ceil((back.getTime() - left.getTime()) / 4000));
    const list = await runHere(desk, ['schedule', 'list'], { NO_COLOR: '' }, { isTTY: true });
    const shown = list.stdout.toString().replaceAll('\u001B[', '<');
    expect(shown).toMatch(new RegExp(`^often .*<31m${missed} *<0m`, 'm'));
    expect(shown).toContain(
      `<31moften: ${missed} occurrences were missed: no server was there within the catch-up window`,
    );
    const { runs } = await health('often');
    await rlm([
      'backfill',
      'often',
      '--from',
      left.toISOString(),
      '--to',
      new Date(left.getTime() + 20_000).toISOString(),
    ]);
    await eventually(async () => expect((await health('often')).runs).toBeGreaterThanOrEqual(runs + 5));
    await eventually(async () => expect(await health('often')).toMatchObject({ last_result: 'completed', running: 0 }));
    await rlm(['delete', 'often']);
  });
});
