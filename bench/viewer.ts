/**
 * What the viewer takes for a run of 1,000 agents and 20,000 iterations, in Chromium:
 *
 *     npm run build && node bench/viewer.ts [--agents 1000] [--iterations 20000] [--blobs <folder>] [--write]
 *
 * `--blobs` names a folder that is filled once and used again; `--write` puts the report into bench/RESULTS.md.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createFileBlobStore } from '../src/storage/file-blob-store.ts';
import { createStoredRuns } from '../src/viewer/stored-runs.ts';
import { startViewer } from '../src/viewer/viewer-server.ts';
import { launchBrowser, scrollThrough } from '../test/viewer/browser.ts';
import { largeTree, writeRun } from '../test/viewer/generated-run.ts';
import { describeMachine } from './overhead/machine.ts';
import { writeResults } from './results-file.ts';

const { values: options } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    iterations: { type: 'string', default: '20000' },
    blobs: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const [agents, iterations] = [Number(options.agents), Number(options.iterations)];
const folder = options.blobs ?? mkdtempSync(join(tmpdir(), 'rlm-bench-viewer-'));
const isFilled = existsSync(join(folder, 'references'));
const { facts, warning } = await describeMachine([]);
const blobs = createFileBlobStore({ path: folder });
if (!isFilled)
  await writeRun(blobs, {
    run: 'large',
    prompt: 'Inspect everything.',
    agents: [...largeTree(agents, iterations)],
    status: 'completed',
  });

const viewer = await startViewer(createStoredRuns({ blobs }));
const browser = await launchBrowser();
const rows: string[] = [];
const note = (what: string, milliseconds: number): void => {
  const line = `| ${what} | ${milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`} |`;
  rows.push(line);
  console.log(line);
};
const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
  const from = performance.now();
  await work();
  note(what, performance.now() - from);
};
const scrolled = async (what: string, selector: string): Promise<void> => {
  const { work, longestFrame } = await scrollThrough(page, selector);
  note(`${what}, scrolled by a page: CPU time of the page's thread for a step`, work);
  note(`${what}, scrolled by a page: the slowest frame`, longestFrame);
};
const { page } = await browser.open(viewer.link());
try {
  const go = (place: string): Promise<unknown> => page.goto(new URL(`/#${place}`, page.url()).href);
  const main = page.locator('main');
  await timed('a run, first view: nothing of it has been read before', async () => {
    await go('/runs/large');
    await main
      .getByText('1,000 agents')
      .or(main.getByText(`${agents} agents`))
      .first()
      .waitFor();
  });
  await timed('all that the agents did is summed up, in the background', () =>
    main.getByText('Looking through').waitFor({ state: 'detached', timeout: 120_000 }),
  );
  await timed('the tree', async () => {
    await go('/runs/large/agents');
    await page.locator('#row-0\\.1').waitFor();
  });
  await scrolled('the tree', '.tree');
  await timed('an agent with its 20 iterations', async () => {
    await go('/runs/large/agents/0.5.5');
    await page.locator('#iteration-20').waitFor();
  });
  await timed('agents found by a word, from the key to the rows', async () => {
    await page.getByLabel('Find agents').fill('part 777 ');
    await page.getByRole('treeitem').getByText('part 777').waitFor();
  });
  await timed('the timeline', async () => {
    await go('/runs/large/timeline');
    await page.locator('.time-row').first().waitFor();
  });
  await scrolled('the timeline', '.timeline');
  await timed('search in all texts, the first hits', async () => {
    await go('/search?run=large&text=needle');
    await page.locator('.hits li').first().waitFor();
  });
  await timed('search in all texts for a word that stands in one of the last agents', async () => {
    await go('/search?run=large&text=the-one-rare-word');
    await page.locator('.hits li').first().waitFor({ timeout: 120_000 });
  });
} finally {
  await browser.close();
  await viewer.close();
  if (options.blobs === undefined) rmSync(folder, { recursive: true, force: true });
}
if (options.write)
  writeResults(
    [
      '# The viewer',
      '',
      ...facts.map((line) => `- ${line}`),
      ...(warning === undefined ? [] : ['', warning]),
      '',
      `A run of ${agents} agents and ${iterations} iterations, from the click to what is in sight, in Chromium without a window.`,
      '',
      '| what | time |',
      '| --- | --- |',
      ...rows,
    ].join('\n'),
  );
