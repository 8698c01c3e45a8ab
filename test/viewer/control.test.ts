import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTemporalRuns } from '../../src/client/temporal-runs.ts';
import { createTemporalSchedules } from '../../src/client/temporal-schedules.ts';
import { reportRun } from '../../src/client/report-run.ts';
import { createGrants } from '../../src/grants.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createStoredRuns } from '../../src/viewer/stored-runs.ts';
import type { RunSource } from '../../src/viewer/run-source.ts';
import { startViewer, type ViewerServer } from '../../src/viewer/viewer-server.ts';
import type { RlmWorker } from '../../src/worker.ts';
import { createWorld, TASK_QUEUE, type World } from '../e2e/world.ts';
import { accessibilityProblems, launchBrowser, type OpenedPage, type TestBrowser } from './browser.ts';
import { liveRunsOf } from './live-runs-of.ts';

/** Runs that are told what to do from the page: real runs, told by what `rlm view` gives its page. */
/** Whatever a page shows, it shows in a moment; a busy machine may need longer. */
const soon = (read: () => unknown): ReturnType<typeof expect.poll> => expect.poll(read, { timeout: 45_000 });
vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });
let world: World;
let worker: RlmWorker;
let source: RunSource;
let viewer: ViewerServer;
let browser: TestBrowser;
let closeSession: (() => Promise<void>) | undefined;
let canAnswer = false;
let hold = Promise.withResolvers<void>();
const begun = Promise.withResolvers<void>();

beforeAll(async () => {
  [world, browser] = await Promise.all([createWorld(), launchBrowser()]);
  worker = await world.startWorker();
  const { live, close } = await liveRunsOf(world);
  closeSession = close;
  source = createStoredRuns({ blobs: world.blobs, live });
  viewer = await startViewer(source);
  const refused = { error: { status: 400, body: { error: { message: 'no such model' } } } };
  const model = await world.startModel({
    scripts: [
      forTask('ask me', [
        withCode('print(rlm_query_batched(["count in a", "count in b"]))'),
        withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))\nFINAL("changed")'),
      ]),
      forTask(/count in [ab]/, [withCode('FINAL("seven things")')]),
      forTask('hear me', [
        async () => {
          begun.resolve();
          await hold.promise;
          return withCode('print("first")');
        },
        ({ messages }) => withCode(`FINAL("told: ${JSON.stringify(messages).includes('only the tests')}")`),
      ]),
      forTask('fail first', [
        async () => {
          if (!canAnswer) return refused;
          await hold.promise;
          return withCode('FINAL("second time")');
        },
      ]),
      forTask('look at the repository', [withCode('FINAL("seen")')]),
    ],
  });
  const schedules = createTemporalSchedules({ client: world.client, taskQueue: TASK_QUEUE });
  const config = { model: { name: 'openai/scripted', base_url: model.url }, sandbox: { isolation: 'bubblewrap' } };
  // As `rlm schedule create` grants it.
  const given = { repo: world.repository, prompt: 'look at the repository', config, grant_for: 'nightly' };
  const granted = { run: 'nightly', type: 'investigate', input: given } as const;
  const input = { ...given, grant: await createGrants(join(world.folder, 'state')).issue(granted) };
  await schedules.create('nightly', { every: ['365d'] }, { type: 'investigate', input, summary: 'look' });
  await schedules.trigger('nightly', undefined);
  const approve = { rlm: { approve: ['sub_agents', 'patch'] } };
  await world.start({ id: 'asks', prompt: 'ask me', model, config: approve });
  await world.start({ id: 'hears', prompt: 'hear me', model });
  await world.start({ id: 'fails', prompt: 'fail first', model });
});
afterAll(async () => {
  hold.resolve();
  await viewer?.close();
  await closeSession?.();
  await browser?.close();
  await world?.close();
});

const text = (opened: OpenedPage, selector: string): Promise<string> => opened.page.locator(selector).innerText();
const head = (opened: OpenedPage): Promise<string> => text(opened, '.run-head');

it('approves a call and rejects a patch, both shown whole', async () => {
  const opened = await browser.open(viewer.link('asks'));
  const { page } = opened;
  await soon(() => text(opened, '.questions')).toMatch(/1 step waiting for you.*count in a\n---\ncount in b/s);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByRole('button', { name: 'Approve 0/' }).click();
  await soon(() => text(opened, '.questions')).toMatch(/pkg\/b\.py.*−.*return 2\n.*\+.*return 22/s);
  const reject = page.getByRole('button', { name: 'Reject… patch' });
  await reject.press('Enter');
  await page.keyboard.press('Escape');
  expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Reject… patch');
  await reject.press('Enter');
  await page.keyboard.type('leave b alone');
  await page.keyboard.press('Enter');
  await soon(() => head(opened)).toMatch(/completed.*rejected/s);
  // It was rejected, and the run says so with the reason.
  await soon(() => text(opened, '.overview')).toMatch(/Patch\s+There is no patch: .*leave b alone/);
  expect((await text(opened, '.overview')).split('leave b alone')).toHaveLength(2);
  await soon(() => page.getByRole('link', { name: 'Patch' }).count()).toBe(0);
  expect(opened.problems).toEqual([]);
});

it('tells an agent something, with what the run says against it', async () => {
  await begun.promise;
  const opened = await browser.open(viewer.link('hears'));
  const { page } = opened;
  await page.getByRole('button', { name: 'Steer…' }).click();
  // The first field has the focus.
  await page.keyboard.type('look at only the tests');
  await page.getByRole('button', { name: 'Send' }).click();
  await soon(() => text(opened, '.controls')).toContain('Agent 0 is shown the message at its next iteration.');
  await expect(source.control('hears', { kind: 'steer', agent: '0.9', message: 'hello' })).rejects.toThrow(/0\.9/);
  expect((await source.view('hears'))?.controls).toEqual(['pause', 'steer', 'budget', 'cancel', 'fork']);
  hold.resolve();
  await soon(() => head(opened)).toContain('completed');
  await soon(() => text(opened, '.overview')).toContain('told: true');
  await page.goto(new URL('/#/runs/hears/agents/0', page.url()).href);
  await soon(() => text(opened, '.agent-pane')).toContain('A person told it: look at only the tests');
  // What cannot be done any more is not offered, and refused with the reason.
  expect(await page.locator('.run-head .controls button').allInnerTexts()).toEqual(['Fork…']);
  await expect(source.control('hears', { kind: 'pause' })).rejects.toThrow('has ended already');
  await expect(source.control('hears', { kind: 'retry' })).rejects.toThrow('has completed');
});

it('forks a run at the iteration that is looked at', async () => {
  const opened = await browser.open(viewer.link('hears'), { viewport: { width: 390, height: 800 } });
  const { page } = opened;
  await page.goto(new URL('/#/runs/hears/agents/0/1', page.url()).href);
  await page
    .locator('#iteration-1')
    .getByRole('button', { name: /Fork from here/ })
    .click();
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByLabel(/What its model is told there/).fill('Now look at only the tests.');
  await page.getByLabel('Id of the new run').fill('not/an/id');
  await page.getByRole('button', { name: 'Start the fork' }).click();
  await soon(() => text(opened, '#iteration-1')).toContain('"not/an/id" cannot be a run id');
  await page.getByLabel('Id of the new run').fill('hears-again');
  await page.getByRole('button', { name: 'Start the fork' }).click();
  await page.getByRole('link', { name: 'Open run hears-again' }).click();
  await soon(() => head(opened)).toMatch(/hears-again completed.*forked from hears, agent 0, iteration 1/s);
  await page.getByRole('link', { name: /^Agents/ }).click();
  await page.getByRole('treeitem').first().click();
  await soon(() => text(opened, '.agent-pane')).toContain('It was told: Now look at only the tests.');
  // What was refused.
  expect(opened.problems).toEqual([expect.stringContaining('400 (Bad Request)')]);
});

it('retries a run that failed: the page and the commands show how it stands, not how it had ended', async () => {
  const runs = createTemporalRuns({ client: world.client, taskQueue: TASK_QUEUE });
  const stands = async (): Promise<unknown> => (await reportRun({ blobs: world.blobs, runs }, 'fails'))?.status;
  const listed = async (): Promise<unknown> => (await source.list(10)).runs.find(({ run }) => run === 'fails')?.status;
  const opened = await browser.open(viewer.link('fails'));
  const { page } = opened;
  // Another page on the same run, whose person does nothing.
  const other = await browser.open(viewer.link('fails'));
  await soon(() => head(opened)).toContain('failed');
  await soon(() => head(other)).toContain('failed');
  [canAnswer, hold] = [true, Promise.withResolvers()];
  await page.getByRole('button', { name: 'Retry…' }).click();
  await page.getByRole('button', { name: 'Retry the run' }).click();
  for (const each of [opened, other]) {
    await soon(() => head(each)).toMatch(/running.*Live: this page follows the run/s);
    expect(await text(each, '.overview')).not.toContain('no such model');
  }
  expect([await stands(), await listed()]).toEqual(['running', 'running']);
  hold.resolve();
  await soon(() => head(opened)).toContain('completed');
  await soon(() => text(opened, '.overview')).toContain('second time');
  expect(opened.problems).toEqual([]);

  // The same where somebody resets its workflow, and no worker is there to do it.
  await worker.shutdown();
  await resetWorkflow('fails');
  await soon(() => head(opened)).toContain('suspended');
  expect([await stands(), await listed()]).toEqual(['suspended', 'suspended']);
  expect(await text(opened, '.overview')).not.toContain('second time');
});

it('says which schedule started a run, and lists its runs', async () => {
  const opened = await browser.open(viewer.link());
  const { page } = opened;
  await soon(() => text(opened, '.runs')).toMatch(/nightly-\d{4}-/);
  await page.getByLabel('Schedule').selectOption('nightly');
  await soon(() => page.locator('.runs tbody tr').count()).toBe(1);
  expect(await page.locator('.runs tbody tr td').last().innerText()).toBe('nightly');
  await page.locator('.run-cell a').click();
  await soon(() => head(opened)).toContain('started by schedule nightly');
  // It is recorded: also without Temporal it is known.
  const { runs } = await createStoredRuns({ blobs: world.blobs }).list(10);
  expect(runs.filter(({ schedule }) => schedule !== null)).toMatchObject([
    { run: expect.stringMatching(/^nightly-/), schedule: 'nightly', status: 'completed' },
  ]);
});

it('says why nothing can be done where no server can be reached', async () => {
  const away = createStoredRuns({
    blobs: world.blobs,
    live: {
      status: () => Promise.reject(new Error('away')),
      list: () => Promise.reject(new Error('away')),
      control: () => Promise.reject(new Error('away')),
    },
  });
  const server = await startViewer(away);
  const opened = await browser.open(server.link('hears'));
  await soon(() => text(opened, '.controls')).toContain('No Temporal server can be reached');
  expect(await opened.page.getByRole('button', { name: 'Fork…' }).isDisabled()).toBe(true);
  await server.close();
});

/** To the point after its first activity, as `temporal workflow reset` does. */
async function resetWorkflow(workflowId: string): Promise<void> {
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const at = (events ?? []).filter(({ workflowTaskCompletedEventAttributes: task }) => task)[1]?.eventId;
  if (at === undefined || at === null) throw new Error('nothing to reset to');
  const { namespace } = world.client.options;
  await world.client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
    reason: 'test',
    requestId: crypto.randomUUID(),
    workflowTaskFinishEventId: at,
  });
}
