import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { reportRun } from '../../src/client/report-run.ts';
import { createTemporalRuns } from '../../src/client/temporal-runs.ts';
import { createTemporalSchedules, type TemporalSchedules } from '../../src/client/temporal-schedules.ts';
import { healthOf, renderHealth, type ScheduleHealth } from '../../src/cli/schedule/health.ts';
import type { Io } from '../../src/cli/io.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { createGrants } from '../../src/grants.ts';
import { hostIdentity } from '../../src/sandbox/host/host-identity.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { describeLong, LONG, sizedCases } from '../sizes.ts';
import { createWorld, git, TASK_QUEUE, type World } from './world.ts';

/** Schedules that fire every second, on a real server. */
vi.setConfig({ testTimeout: LONG ? 900_000 : 120_000 });
let world: World;
let model: ScriptedModel;
let schedules: TemporalSchedules;
beforeAll(async () => {
  world = await createWorld();
  model = await world.startModel({
    scripts: [forTask('look at the repository', [withCode('FINAL("seen")')]), forTask('never ends', [{ hang: true }])],
  });
  schedules = createTemporalSchedules({ client: world.client, taskQueue: TASK_QUEUE });
  await world.startWorker();
});
afterAll(() => world.close());

/** As `rlm schedule create` grants it: for the runs of the schedule. */
async function work(
  name: string,
  prompt: string,
  extra: object = {},
): Promise<{ type: 'investigate'; input: object; summary: string }> {
  const given = {
    repo: world.repository,
    prompt,
    config: { model: { name: 'openai/scripted', base_url: model.url }, sandbox: { isolation: 'bubblewrap' } },
    ...extra,
    grant_for: name,
  };
  const grant = await createGrants(join(world.folder, 'state')).issue({ run: name, type: 'investigate', input: given });
  return { type: 'investigate', input: { ...given, grant }, summary: prompt };
}

const EVERY_SECOND = { every: ['1s'] };
const health = async (name: string): Promise<ScheduleHealth> => {
  const description = await schedules.describe(name);
  if (description === undefined) throw new Error(`no schedule ${name}`);
  const runs = createTemporalRuns({ client: world.client, taskQueue: TASK_QUEUE });
  return healthOf(description, world.blobs, runs);
};

async function outcomes(name: string): Promise<RunOutcome[]> {
  const ids = new Set<string>();
  for await (const { workflowId } of world.client.workflow.list({ query: `WorkflowId STARTS_WITH '${name}-'` }))
    if (!workflowId.includes('/')) ids.add(workflowId);
  return Promise.all(
    [...ids].toSorted().map((id) => world.client.workflow.getHandle(id).result() as Promise<RunOutcome>),
  );
}

describe.concurrent('a schedule', () => {
  it('runs on the commit that the folder has at each occurrence, or is skipped where there is no new one', async () => {
    await schedules.create(
      'nightly',
      EVERY_SECOND,
      await work('nightly', 'look at the repository', { only_if_changed: 'nightly' }),
    );
    await vi.waitFor(async () => expect((await health('nightly')).runs).toBeGreaterThan(2), 30_000);
    writeFileSync(join(world.repository, 'new.txt'), 'of the day');
    git(world.repository, 'add', '-A');
    git(world.repository, 'commit', '-q', '-m', 'of the day');
    const worked = (): Promise<RunOutcome[]> =>
      outcomes('nightly').then((all) => all.filter(({ answer }) => answer === 'seen'));
    await vi.waitFor(async () => expect(await worked()).toHaveLength(2), { timeout: 60_000, interval: 500 });
    await schedules.pause('nightly', 'enough');
    const skipped = (await outcomes('nightly')).filter(({ agents }) => agents === 0);
    expect(skipped.length).toBeGreaterThan(0);
    expect(skipped[0]).toMatchObject({
      status: 'completed',
      answer: null,
      notes: [expect.stringMatching(/^Skipped: /)],
    });
    expect(await health('nightly')).toMatchObject({ paused: true, note: 'enough', next_run_at: null, missed: 0 });
    await schedules.delete('nightly');
  });

  const policies: readonly (readonly [NonNullable<ScheduleOverlapPolicy>, (state: ScheduleHealth) => boolean])[] = [
    ['SKIP', (state) => state.skipped > 0 && state.running === 1],
    ['ALLOW_ALL', (state) => state.runs > 2 && state.skipped === 0],
    ['CANCEL_OTHER', (state) => state.runs > 1],
  ];
  it.each(sizedCases(['SKIP', 'ALLOW_ALL'], policies))('whose run is still at work: %s', async (overlap, isAsTold) => {
    const name = `overlap-${overlap.toLowerCase().replace('_', '-')}`;
    await schedules.create(name, { ...EVERY_SECOND, overlap }, await work(name, 'never ends'));
    await vi.waitFor(async () => expect(isAsTold(await health(name))).toBe(true), { timeout: 30_000, interval: 300 });
    await schedules.delete(name);
    const query = `WorkflowId STARTS_WITH '${name}-' AND WorkflowType = 'investigate'`;
    for await (const { workflowId } of world.client.workflow.list({ query }))
      await world.client.workflow
        .getHandle(workflowId)
        .terminate()
        .catch(() => undefined);
  });

  it('pauses when a run fails, where it is told to', async () => {
    await schedules.create('fails', { ...EVERY_SECOND, pauseOnFailure: true }, await work('fails', ' '));
    await vi.waitFor(async () => expect((await health('fails')).paused).toBe(true), { timeout: 30_000, interval: 300 });
    expect(await health('fails')).toMatchObject({ last_result: 'failed' });
    await schedules.delete('fails');
  });

  it('makes up for a time that has passed', async () => {
    const name = 'hourly';
    await schedules.create(name, { every: ['1h'] }, await work(name, 'look at the repository'));
    const now = Date.now();
    await schedules.backfill(name, new Date(now - 3 * 3_600_000), new Date(now), 'BUFFER_ALL');
    await vi.waitFor(async () => expect((await health(name)).runs).toBe(3), { timeout: 60_000, interval: 300 });
    await vi.waitFor(async () => expect((await health(name)).last_result).toBe('completed'), 60_000);
    await schedules.delete(name);
  });

  it('of a folder on a host without a worker says so, and runs when one is there', async () => {
    const host = hostIdentity('elsewhere', join(world.folder, 'state'));
    await schedules.create('far', { every: ['1h'] }, await work('far', 'look at the repository', { host }));
    await schedules.trigger('far', undefined);
    const reason = `it waits for a worker on host ${host}, where its folder is: none has taken it. Type rlm up there, or rlm worker; each prints the name of its host`;
    await vi.waitFor(
      async () =>
        expect(await health('far')).toMatchObject({ last_result: 'waiting for a worker', last_reason: reason }),
      { timeout: 60_000, interval: 500 },
    );
    const state = await health('far');
    const run = state.last_run ?? '';
    const io = { stdout: { isTTY: true }, env: {} } as unknown as Io;
    expect(renderHealth([state], io).at(-1)).toBe(`\u001B[31m${run}: ${reason}.\u001B[0m`);
    const runs = createTemporalRuns({ client: world.client, taskQueue: TASK_QUEUE });
    expect(await runs.state(run)).toMatchObject({ status: 'starting', reason, failure: null });
    expect(await reportRun({ blobs: world.blobs, runs }, run)).toMatchObject({ status: 'starting', reason });
    await world.startWorker({ host: 'elsewhere' });
    await vi.waitFor(
      async () => expect(await health('far')).toMatchObject({ last_result: 'completed', last_reason: null }),
      { timeout: 60_000, interval: 300 },
    );
    // Its outcome is recorded a moment before it says so itself.
    await vi.waitFor(async () => expect(await runs.state(run)).toMatchObject({ status: 'completed', reason: null }), {
      timeout: 30_000,
    });
    await schedules.delete('far');
  });

  it('that missed a run says so in red, and how to make up for it', () => {
    const io = { stdout: { isTTY: true }, env: {} } as unknown as Io;
    const stands: ScheduleHealth = {
      schedule: 'nightly',
      paused: false,
      note: null,
      last_run_at: '2026-01-30T03:00:00.000Z',
      last_run: 'nightly-2026-01-30T03:00:00Z',
      last_result: 'completed',
      last_reason: null,
      last_cost: 0.5,
      next_run_at: '2026-02-02T03:00:00.000Z',
      missed: 2,
      skipped: 0,
      running: 0,
      runs: 9,
    };
    const [head, row, line] = renderHealth([stands], io).map((each) => each.replaceAll('\u001B[', '<'));
    expect(head).toContain('MISSED');
    expect(row).toMatch(/completed\s+\$0\.50\s+2026-02-02 03:00:00\s+<31m2\s+<0m0/);
    expect(line).toContain('nightly: 2 occurrences were missed');
    expect(line).toContain('rlm schedule backfill nightly --from <time>');
    expect(renderHealth([{ ...stands, missed: 0 }], io).join('')).not.toContain('\u001B');
  });
});

interface Occurrence {
  /** Seconds of its time since the first occurrence's. */
  readonly due: number;
  readonly status: string;
  readonly startedAt: number;
  readonly closedAt: number;
}

/** Seconds between occurrences, and seconds that a run needs at least. */
const EVERY = 3;
const NEEDS = 7;

/** Runs of a schedule in the order of their start. @throws where one has not ended */
async function occurrences(name: string): Promise<Occurrence[]> {
  const found: Occurrence[] = [];
  const query = `WorkflowId STARTS_WITH '${name}-' AND WorkflowType = 'investigate'`;
  for await (const { workflowId, status, startTime, closeTime } of world.client.workflow.list({ query })) {
    if (closeTime === undefined) throw new Error(`${workflowId} has not ended`);
    const due = Date.parse(workflowId.slice(name.length + 1)) / 1000;
    found.push({ due, status: status.name, startedAt: startTime.getTime(), closedAt: closeTime.getTime() });
  }
  const sorted = found.toSorted((a, b) => a.startedAt - b.startedAt);
  return sorted.map((each) => ({ ...each, due: each.due - (sorted[0]?.due ?? 0) }));
}

const following = (all: readonly Occurrence[]): (readonly [Occurrence, Occurrence])[] =>
  all.slice(1).map((each, at) => [all[at] as Occurrence, each]);
/** Seconds from the end of a run to the start of the next: below 0 where both were at work. */
const gaps = (all: readonly Occurrence[]): number[] =>
  following(all).map(([before, next]) => (next.startedAt - before.closedAt) / 1000);
const intervals = (all: readonly Occurrence[]): number[] =>
  following(all).map(([before, next]) => next.due - before.due);
const statuses = (all: readonly Occurrence[]): string[] => [...new Set(all.map(({ status }) => status))].toSorted();

describeLong('a schedule whose runs last longer than its interval', () => {
  const lasting = `import time\ntime.sleep(${NEEDS})\nFINAL("seen")`;

  /** Lets it run, pauses it, and waits for what is at work or still waits. */
  async function play(
    overlap: NonNullable<ScheduleOverlapPolicy>,
    runs: number,
  ): Promise<[Occurrence[], ScheduleHealth]> {
    const name = `lasting-${overlap.toLowerCase().replace('_', '-')}`;
    const slow = await world.startModel({ scripts: [forTask('take your time', [withCode(lasting)])] });
    const given = await work(name, 'take your time', {
      config: { model: { name: 'openai/scripted', base_url: slow.url }, sandbox: { isolation: 'bubblewrap' } },
    });
    await schedules.create(name, { every: [`${EVERY}s`], overlap }, given);
    const wait = { timeout: 300_000, interval: 500 };
    await vi.waitFor(async () => expect((await health(name)).runs).toBeGreaterThanOrEqual(runs), wait);
    await schedules.pause(name, 'enough');
    await vi.waitFor(async () => {
      const state = await health(name);
      expect(state.running).toBe(0);
      expect((await occurrences(name)).length).toBe(state.runs);
    }, wait);
    const state = await health(name);
    await schedules.delete(name);
    await slow.close({ check: false });
    await vi.waitFor(async () => expect(await world.leftovers(name)).toEqual([]), { timeout: 60_000, interval: 500 });
    return [await occurrences(name), state];
  }

  it('skip: one at a time, and those that come meanwhile are left out and counted', async () => {
    const [all, { skipped, missed, runs }] = await play('SKIP', 4);
    expect(statuses(all)).toEqual(['COMPLETED']);
    expect(Math.min(...gaps(all))).toBeGreaterThanOrEqual(0);
    expect(Math.min(...intervals(all))).toBeGreaterThan(NEEDS);
    const last = all.at(-1) as Occurrence;
    // Every time is one that ran, or one that was skipped; some after the last may be.
    expect(skipped + runs).toBeGreaterThanOrEqual(last.due / EVERY + 1);
    expect(missed).toBe(0);
  });

  it('buffer_one: the next begins as soon as one ends, one waits, and the others are left out', async () => {
    const [all, { skipped }] = await play('BUFFER_ONE', 4);
    expect(statuses(all)).toEqual(['COMPLETED']);
    expect(Math.min(...gaps(all))).toBeGreaterThanOrEqual(0);
    // It waited already when the one before ended.
    for (const [before, next] of following(all))
      expect(next.due * 1000 + (all[0]?.startedAt ?? 0)).toBeLessThan(before.closedAt);
    expect(skipped).toBeGreaterThan(0);
  });

  it('buffer_all: one at a time, and none is left out', async () => {
    const [all, { skipped }] = await play('BUFFER_ALL', 3);
    expect(statuses(all)).toEqual(['COMPLETED']);
    expect(all.length).toBeGreaterThan(2);
    expect(Math.min(...gaps(all))).toBeGreaterThanOrEqual(0);
    expect(new Set(intervals(all))).toEqual(new Set([EVERY]));
    expect(skipped).toBe(0);
  });

  it('cancel_other: the one before is cancelled and cleans up, then the next begins', async () => {
    const [all, { last_result }] = await play('CANCEL_OTHER', 4);
    expect(statuses(all.slice(0, -1))).toEqual(['CANCELLED']);
    expect(all.at(-1)?.status).toBe('COMPLETED');
    expect(Math.min(...gaps(all))).toBeGreaterThanOrEqual(0);
    expect(last_result).toBe('completed');
  });

  it('terminate_other: the one before is ended at once, and its sandboxes go', async () => {
    const [all, { last_result }] = await play('TERMINATE_OTHER', 4);
    expect(statuses(all.slice(0, -1))).toEqual(['TERMINATED']);
    expect(all.at(-1)?.status).toBe('COMPLETED');
    expect(last_result).toBe('completed');
    expect(Math.min(...gaps(all))).toBeGreaterThanOrEqual(0);
  });

  it('allow_all: each begins at its time, beside those before', async () => {
    const [all, { skipped }] = await play('ALLOW_ALL', 5);
    expect(statuses(all)).toEqual(['COMPLETED']);
    expect(Math.max(...gaps(all))).toBeLessThan(0);
    expect(new Set(intervals(all))).toEqual(new Set([EVERY]));
    expect(skipped).toBe(0);
  });
});

describeLong('a schedule whose run fails', () => {
  it('continues at its next time, and tells how the last ended', async () => {
    await schedules.create('fails-again', { every: ['2s'] }, await work('fails-again', ' '));
    await vi.waitFor(async () => expect((await health('fails-again')).runs).toBeGreaterThan(2), 60_000);
    expect(await health('fails-again')).toMatchObject({ paused: false, last_result: 'failed' });
    await schedules.delete('fails-again');
  });
});

describe.concurrent('findings of a series', () => {
  it('are told apart from those of the run before, which the agents have as a variable', async () => {
    const answers = [
      '[{"file": "a", "line": 1}, {"file": "b", "line": 1}]',
      '[{"file": "a", "line": 1}, {"file": "b", "line": 9}, {"file": "c", "line": 1}]',
      '[{"file": "a", "line": 1}, {"file": "b", "line": 9}, {"file": "c", "line": 1}]',
    ];
    const seen: string[] = [];
    const analyst = await world.startModel({
      scripts: [
        ({ turn, last }) => {
          seen.push(last);
          const at = seen.length - 1;
          return turn === 0
            ? withCode(
                `known = globals().get("previous_findings", [])\nSUBMIT(issues=${answers[at]}, known=len(known))`,
              )
            : '';
        },
      ],
    });
    const run = (id: string): Promise<RunOutcome> =>
      world.analyze({
        id,
        model: analyst,
        signature: 'text -> issues: list[dict], known: int',
        inputs: { text: 'x' },
        config: { rlm: { findings: { field: 'issues', key: ['file'], series: 'review' } } },
      });
    const counts = async (id: string): Promise<unknown> => {
      const { findings, answer } = await run(id);
      const { ref: _, ...rest } = findings ?? { ref: '' };
      return [rest, (JSON.parse(answer ?? '{}') as { known: number }).known];
    };
    expect(await counts('review-1')).toEqual([{ new: 2, open: 0, changed: 0, gone: 0 }, 0]);
    expect(await counts('review-2')).toEqual([{ new: 1, open: 1, changed: 1, gone: 0 }, 2]);
    expect(await counts('review-3')).toEqual([{ new: 0, open: 3, changed: 0, gone: 0 }, 3]);
    expect(seen[0]).not.toContain('previous_findings');
    expect(seen[1]).toMatch(/- previous_findings: list of length 2.*\n {4}what the run before this one found/);
  });
});
