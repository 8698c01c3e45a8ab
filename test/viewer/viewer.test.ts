import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readSignature } from '../../src/domain/signature/read-signature.ts';
import { createStoredRuns } from '../../src/viewer/stored-runs.ts';
import { startViewer, type ViewerServer } from '../../src/viewer/viewer-server.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from '../e2e/world.ts';
import { accessibilityProblems, launchBrowser, type OpenedPage, type TestBrowser } from './browser.ts';
import { failedTree, writeRun } from './generated-run.ts';
import { liveRunsOf } from './live-runs-of.ts';

/** The viewer as a person uses it: a run that continues, runs that have ended, in a real browser. */
/** Whatever a page shows, it shows in a moment; a busy machine may need longer. */
const soon = (read: () => unknown): ReturnType<typeof expect.poll> => expect.poll(read, { timeout: 30_000 });
vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });
let world: World;
let viewer: ViewerServer;
let browser: TestBrowser;
let closeSession: (() => Promise<void>) | undefined;
const gate = Promise.withResolvers<void>();
const begun = Promise.withResolvers<void>();

const REPLIES = {
  root: [
    withCode('print(rlm_query_batched(["count in a", "break in b"]))', 'I split the work.'),
    withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))'),
    withCode('FINAL(llm_query("how sure?") + ": counted seven things in a")'),
  ],
};

const WEALTH = Array.from({ length: 30 }, (_, index) => ({
  chapter: index,
  who: index % 2 === 0 ? 'Dantès' : 'Danglars',
  wealth: (index * 7) % 10,
}));

beforeAll(async () => {
  [world, browser] = await Promise.all([createWorld(), launchBrowser()]);
  await world.startWorker();
  const { live, close } = await liveRunsOf(world);
  closeSession = close;
  viewer = await startViewer(createStoredRuns({ blobs: world.blobs, live }));
  await writeRun(world.blobs, {
    run: 'todo-failed',
    prompt: 'Investigate TODO comments and fix the easiest.',
    agents: failedTree(),
    status: 'failed',
    error: 'agent 0 used up its iterations and gave no answer',
  });
  await writeRun(world.blobs, {
    run: 'wealth',
    prompt: 'chapters -> rows',
    signature: readSignature('question -> rows: list[dict]'),
    agents: [{ id: '0', task: 'who is how rich', turns: [], answer: { rows: WEALTH }, from: 0, to: 1 }],
    status: 'completed',
  });
  const model = await world.startModel({
    scripts: [
      forTask('watch me', REPLIES.root),
      forTask('count in a', [
        async () => {
          begun.resolve();
          await gate.promise;
          return withCode('FINAL("counted seven things in a")');
        },
      ]),
      forTask('break in b', [{ error: { status: 400, body: { error: { message: 'no pictures, please' } } } }]),
      ({ messages }) => (messages.length === 1 ? 'very sure' : undefined),
    ],
  });
  await world.start({ id: 'watched', prompt: 'watch me', model });
  await begun.promise;
});
afterAll(async () => {
  gate.resolve();
  await viewer?.close();
  await closeSession?.();
  await browser?.close();
  await world?.close();
});

const text = (opened: OpenedPage, selector: string): Promise<string> => opened.page.locator(selector).innerText();

describe('a run that continues', () => {
  it('is shown live, told to pause and resume, and followed to its end', async () => {
    const opened = await browser.open(viewer.link('watched'));
    const { page } = opened;
    await soon(() => text(opened, '.run-head')).toContain('running');
    await soon(() => text(opened, '.findings')).toContain('no pictures, please');

    await page.getByRole('link', { name: /^Agents/ }).click();
    const tree = page.getByRole('tree');
    await tree.getByText('count in a').click();
    await soon(() => text(opened, '.agent-pane')).toContain('asking the model');

    await page.getByRole('button', { name: 'Pause' }).click();
    await soon(() => text(opened, '.run-head')).toContain('paused');
    await page.getByRole('button', { name: 'Resume' }).click();
    await soon(() => page.getByRole('button', { name: 'Pause' }).count()).toBe(1);
    await page.getByRole('button', { name: 'Budget…' }).click();
    await page.getByLabel(/Sandboxes in all/).fill('60');
    await page.getByRole('button', { name: 'Set' }).click();
    await soon(() => text(opened, '.controls')).toContain('has new limits: rlm.max_sandboxes 60');

    gate.resolve();
    await soon(() => text(opened, '.run-head')).toContain('completed');
    // The agent that is open moves on by itself.
    await soon(() => text(opened, '.agent-pane')).toContain('counted seven things in a');
    expect(opened.problems).toEqual([]);
    expect([...opened.hosts]).toEqual([new URL(viewer.link()).host]);
  });

  it('has its patch as a diff, its answer and where that comes from, and the request of an iteration', async () => {
    const opened = await browser.open(viewer.link('watched'));
    const { page } = opened;
    await soon(() => text(opened, '.overview')).toContain('very sure: counted seven things in a');
    await page.getByText('Where this comes from').click();
    await soon(() => text(opened, '.origin')).toMatch(/agent 0\.1: .*counted seven things in a/s);

    await page.getByRole('link', { name: 'What it changed' }).click();
    await soon(() => text(opened, '.diff')).toMatch(/−.*return 2\n.*\+.*return 22/s);
    await page.getByLabel('Show it').selectOption('split');
    expect(await page.locator('.diff-split .line-added').innerText()).toContain('return 22');

    // Of two sub-agents one answered, and the code was given the error of the other.
    await page.goto(new URL('/#/runs/watched/agents/0.2', page.url()).href);
    await soon(() => text(opened, '.parent')).toMatch(/the error above as a string: Error: sub-agent 0\.2 .*…/);
    await page.locator('.parent').getByRole('link', { name: 'iteration 1' }).click();
    await soon(() => text(opened, '#iteration-1')).toMatch(/Answered by\s+0\.1\s.*failed:\s+0\.2\s+did not finish/s);

    await page.goto(new URL('/#/runs/watched/agents/0/3', page.url()).href);
    const third = page.locator('#iteration-3');
    await third.getByText('Raw request and reply').click();
    await soon(() => third.innerText()).toMatch(/messages?; \d+ as in the request before/);
    await third.getByText('llm_query', { exact: false }).first().click();
    await soon(() => third.innerText()).toContain('how sure?');
    expect(opened.problems).toEqual([]);
  });
});

describe('a failed run of 41 agents', () => {
  it('says which agent failed, why, what it cost, and what its parent did then', async () => {
    const opened = await browser.open(viewer.link('todo-failed'));
    const { page } = opened;
    const first = page.locator('.finding').first();
    await soon(() => first.innerText()).toMatch(/Agent 0\.17\.1 failed: The model refused .*images/);
    expect(await first.innerText()).toContain('$0.032 in 2 iterations; its parent, agent 0.17, completed all the same');
    // Why the root failed is why the run did: said once, with a link. Nothing was changed, and the page says so.
    const overview = await text(opened, '.overview');
    expect(overview.match(/used up its iterations/g)).toHaveLength(1);
    expect(await text(opened, '.failure')).toMatch(/agent 0\s+\$0\.0073 in 4 iterations/);
    expect(overview).toContain('No patch: nothing was changed.');
    expect(await text(opened, '.run-head')).toMatch(/1 min\b(?! \d)/);
    await first.getByRole('link', { name: 'Agent 0.17.1', exact: true }).click();
    await soon(() => text(opened, '.agent-pane')).toContain('What its parent, agent 0.17, did then');
    // The tree shows where it is.
    const row = await page.locator('#row-0\\.17\\.1').boundingBox();
    expect((row?.y ?? 0) + (row?.height ?? 0)).toBeLessThan(800);
    const pane = await text(opened, '.agent-pane');
    expect(pane).toMatch(/Cost\s+\$0\.032/);
    expect(pane).toMatch(/^Look closely at the TODO comments/m);
    // The error stands where it is first, and in the block that raised it.
    expect(pane).toContain('the error above as a string: Error: sub-agent 0.17.1 did not finish (…)');
    expect(pane).toContain('Its block then printed that string.');
    const error = 'messages with images are not supported';
    expect((await text(opened, '.failure')).split(error)).toHaveLength(2);
    expect(await text(opened, '.parent')).not.toContain(error);
    expect(pane).toContain('The sub-agent failed, so I skip this module and say so.');
    await page.getByRole('link', { name: 'iteration 3' }).click();
    await soon(() => text(opened, '.agent-pane h2')).toContain('Agent 0.17');
    expect(await page.evaluate('location.hash')).toBe('#/runs/todo-failed/agents/0.17/3');
    // The call says that its sub-agent failed. It leads to the child, and the way back is the same.
    const block = page.locator('.block', { hasText: 'rlm_query_batched' });
    await soon(() => block.innerText()).toContain(
      'did not finish. The code was given its error as a string, and printed it.',
    );
    expect(await block.innerText()).not.toContain('Answered by');
    await block.getByRole('link', { name: 'failed: 0.17.1' }).click();
    await soon(() => text(opened, '.agent-pane h2')).toContain('Agent 0.17.1');
    await page.goBack();
    await soon(() => text(opened, '.agent-pane h2')).toMatch(/Agent 0\.17\b(?!\.)/);
  });

  it('has each answer of a call for many', async () => {
    const { page } = await browser.open(viewer.link('todo-failed'));
    await page.goto(new URL('/#/runs/todo-failed/agents/0/3', page.url()).href);
    const third = page.locator('#iteration-3');
    await third.locator('summary', { hasText: 'llm_query_batched' }).click();
    await soon(() => third.locator('.call-items > li').count()).toBe(25);
    expect(await third.innerText()).not.toContain('No answer yet');
    expect(await third.locator('.call-items > li').last().innerText()).toMatch(/Answered.*easy/s);
  });

  it('is read by keyboard alone', async () => {
    const opened = await browser.open(viewer.link('todo-failed'));
    const { page } = opened;
    await page.getByRole('link', { name: /^Agents/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('tree').waitFor();
    for (let presses = 0; presses < 30; presses += 1) {
      if ((await page.evaluate('document.activeElement.getAttribute("role")')) === 'tree') break;
      await page.keyboard.press('Tab');
    }
    const active = async (): Promise<string | null> => page.getByRole('tree').getAttribute('aria-activedescendant');
    await page.keyboard.press('ArrowDown');
    expect(await active()).toBe('row-0.1');
    await page.keyboard.press('End');
    expect(await active()).toBe('row-0.25.1');
    await page.keyboard.press('ArrowLeft');
    expect(await active()).toBe('row-0.25');
    await page.keyboard.press('ArrowLeft');
    expect(await page.locator('#row-0\\.25').getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press('Enter');
    await soon(() => text(opened, '.agent-pane h2')).toContain('Agent 0.25');
    await page.keyboard.press('Home');
    expect(await active()).toBe('row-0');
    await page.keyboard.press('/');
    await page.keyboard.type('not supported');
    await page.keyboard.press('Enter');
    await soon(() => text(opened, 'main')).toMatch(/places found\./);
    await page.locator('.hits a').first().press('Enter');
    await soon(() => text(opened, '.agent-pane h2')).toMatch(/Agent 0/);
    expect(opened.problems).toEqual([]);
  });

  it('can be narrowed to agents that failed, or by a word', async () => {
    const opened = await browser.open(viewer.link('todo-failed'));
    const { page } = opened;
    await page.getByRole('link', { name: /^Agents/ }).click();
    const rows = page.getByRole('treeitem');
    // Where no agent is chosen yet, those that are worth a look are offered.
    expect(await text(opened, '.agent-pane')).toMatch(
      /Agent 0\.17\.1 failed.*Agent 0 failed.*Agent 0\.17\.1 cost most/s,
    );
    await page.locator('.agent-pane').getByRole('link', { name: 'Agent 0', exact: true }).click();
    await soon(() => text(opened, '.agent-pane')).toMatch(
      /Agent 0, the root.*below it 1 has failed:\s+✗\s*failed:\s+0\.17\.1/s,
    );
    // What all siblings begin with would hide what they differ in.
    await soon(() => rows.nth(1).innerText()).toMatch(/✓.*\s0\.1\s+…in sklearn\/ensemble\/ and assess/s);
    expect(await rows.nth(1).innerText()).toMatch(/2\s+iterations/);
    await page.getByRole('button', { name: 'Failed (2)' }).click();
    // The agents above stay, to show where it is.
    await soon(() => rows.count()).toBe(3);
    await page.getByRole('button', { name: 'Failed (2)' }).click();
    await page.getByLabel('Find agents').fill('sklearn/svm/_base');
    await soon(() => rows.allInnerTexts()).toSatisfy((all: string[]) => all.some((each) => each.includes('svm')));
  });
});

it('lists and compares runs', async () => {
  const opened = await browser.open(viewer.link());
  const { page } = opened;
  await soon(() => text(opened, '.runs')).toContain('todo-failed');
  await page.getByLabel('Status').selectOption('failed');
  await soon(() => page.locator('.runs tbody tr').count()).toBe(1);
  await page.getByLabel('Status').selectOption('');
  await page.getByLabel('Compare todo-failed').check();
  await page.getByLabel('Compare watched').check();
  await page.getByRole('link', { name: 'Compare the two' }).click();
  await soon(() => text(opened, 'main')).toContain('Settings that differ');
  expect(await text(opened, 'main')).toMatch(/model\.base_url/);
});

it('shows the rows of an analysis: sorted, filtered, drawn, and as CSV', async () => {
  const opened = await browser.open(viewer.link('wealth'));
  const { page } = opened;
  await page.getByRole('button', { name: 'wealth' }).click();
  await page.getByRole('button', { name: 'wealth' }).click();
  const rows = page.locator('.answer-table tbody tr');
  expect(await rows.first().innerText()).toMatch(/9$/);
  await page.getByLabel('Filter rows').fill('danglars');
  await soon(() => rows.count()).toBe(15);
  await page.getByText('Chart', { exact: true }).click();
  await soon(() => page.evaluate('document.querySelector(".chart").naturalWidth')).toBe(1100);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Download CSV').click()]);
  expect(await readFile(await download.path(), 'utf8')).toMatch(/^chapter,who,wealth\r\n0,Dantès,0\r\n/);
  expect(opened.problems).toEqual([]);
});

it('shows when each agent ran, and what each cost', async () => {
  const opened = await browser.open(viewer.link('todo-failed'));
  const { page } = opened;
  await page.getByRole('link', { name: 'Timeline' }).click();
  await soon(() => text(opened, '.timeline')).toContain('0.17.1');
  expect(await page.locator('.time-row .part-model[d^=M]').count()).toBeGreaterThan(10);
  // Idle times are marked, and the axis continues after them.
  const ticks = page.locator('.tick');
  expect(await ticks.allInnerTexts()).toEqual(['0', '5 s', '10 s', '29 s', '35 s', '40 s', '48 s', '1 min']);
  expect(await page.locator('.time-grid .time-gap').count()).toBe(3);
  await page.setViewportSize({ width: 390, height: 800 });
  await soon(() => ticks.count()).toBeLessThan(5);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByLabel(/Shorten idle times/).uncheck();
  await soon(() => ticks.allInnerTexts()).toEqual(expect.arrayContaining(['0', '30 s', '50 s', '1 min']));
  expect(await page.locator('.time-gap').count()).toBe(0);
  await page.getByLabel('Only the critical path').check();
  await soon(() => page.locator('.time-row').count()).toBe(3);
  await page.getByRole('link', { name: 'Costs' }).click();
  await soon(() => text(opened, 'main')).toContain('By depth');
  await page.getByLabel(/Most first/).check();
  const costliest = page.locator('.cost-row').first();
  await soon(() => costliest.innerText()).toMatch(/✗\s+failed\s+0\.17\.1.*The model refused/s);
  // Not by colour alone, but also by it.
  const colour = (of: string): Promise<unknown> =>
    page.evaluate(`getComputedStyle(document.querySelector('${of}')).backgroundColor`);
  expect(await colour('.cost-row.agent-failed .bar-own')).not.toBe(await colour('.cost-row.agent-completed .bar-own'));
});

it('says what is wrong: a run that is unknown, a blob that is missing, a server that has gone', async () => {
  const opened = await browser.open(viewer.link());
  const { page } = opened;
  await page.goto(new URL('/#/runs/no-such-run', page.url()).href);
  await soon(() => text(opened, '[role=alert]')).toContain('There is no run "no-such-run" here');
  const other = await startViewer(createStoredRuns({ blobs: world.blobs }));
  const second = await browser.open(other.link('todo-failed'));
  await other.close();
  await second.page.getByRole('link', { name: 'Timeline' }).click();
  await second.page.getByRole('link', { name: /^Agents/ }).click();
  await second.page.getByRole('tree').getByText('sklearn/svm/ ').first().click();
  await soon(() => text(second, '[role=alert]')).toContain('The viewer does not answer');
});

it.each([
  ['light', 1280],
  ['dark', 390],
] as const)(
  'has no violation of WCAG 2.2 AA (%s, %d pixels), and nothing is wider than the window',
  async (colorScheme, width) => {
    const opened = await browser.open(viewer.link(), { colorScheme, viewport: { width, height: 800 } });
    const { page } = opened;
    const failed = '/runs/todo-failed';
    // Each place is looked through in one theme: axe takes a second or two.
    const places = {
      light: [failed, `${failed}/agents/0.17.1`, `${failed}/timeline`, '/search?text=svm'],
      dark: ['/', `${failed}/agents`, '/runs/watched/patch', `${failed}/costs`, '/compare?a=watched&b=todo-failed'],
    };
    for (const place of Object.values(places).flat()) {
      await page.goto(new URL(`/#${place}`, page.url()).href);
      await soon(() => page.locator('main').innerText()).not.toMatch(/Loading|Looking through/);
      if (places[colorScheme].includes(place)) expect(await accessibilityProblems(page), place).toEqual([]);
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(overflow), place).toBe(0);
    }
  },
);
