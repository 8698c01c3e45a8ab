import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { createStoredRuns } from '../../src/viewer/stored-runs.ts';
import { startViewer, type ViewerServer } from '../../src/viewer/viewer-server.ts';
import { launchBrowser, type TestBrowser } from './browser.ts';
import { largeTree, writeRun } from './generated-run.ts';

/** A run of 1,000 agents is as readable as one of ten. How fast it is with 20,000 iterations, bench/viewer.ts measures. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });
// Thousands of blobs, each synced to disk: in memory where there is such a place.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'rlm-viewer-'));
const AGENTS = 1000;
let viewer: ViewerServer;
let browser: TestBrowser;

beforeAll(async () => {
  const blobs = createFileBlobStore({ path: folder });
  const agents = [...largeTree(AGENTS, AGENTS * 2)];
  await writeRun(blobs, { run: 'large', prompt: 'Inspect everything.', agents, status: 'completed' });
  [viewer, browser] = await Promise.all([startViewer(createStoredRuns({ blobs })), launchBrowser()]);
});
afterAll(async () => {
  await viewer?.close();
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

it('has no more rows in the page than are in sight, goes to any agent, and finds a word in any text', async () => {
  const { page, problems } = await browser.open(viewer.link('large'));
  const soon = (read: () => unknown): ReturnType<typeof expect.poll> => expect.poll(read, { timeout: 30_000 });
  await soon(() => page.locator('main').innerText()).toContain('1,000 agents');
  await page.getByRole('link', { name: /^Agents/ }).click();
  const rows = page.getByRole('treeitem');
  await soon(() => rows.count()).toBeGreaterThan(10);
  expect(await rows.count()).toBeLessThan(100);
  await page.getByRole('tree').press('End');
  await soon(() => page.getByRole('tree').getAttribute('aria-activedescendant')).toBe('row-0.10.10');
  await soon(() => page.locator('[id="row-0.10.10"]').count()).toBe(1);
  expect(await rows.count()).toBeLessThan(100);
  await page.getByLabel('Find agents').fill('part 777 ');
  await soon(() => page.getByRole('tree').innerText()).toContain('part 777 of the tree');

  for (const [tab, row] of [
    ['Timeline', '.time-row'],
    ['Costs', '.cost-row'],
  ] as const) {
    await page.getByRole('link', { name: tab }).click();
    await soon(() => page.locator(row).count()).toBeGreaterThan(10);
    expect(await page.locator(row).count(), tab).toBeLessThan(100);
  }
  await page.getByRole('searchbox', { name: 'Search run large' }).fill('the-one-rare-word');
  await page.keyboard.press('Enter');
  await soon(() => page.locator('.hits').innerText()).toMatch(/agent 0[.\d]+ · iteration 2/);
  expect(problems).toEqual([]);
});
