import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentReferenceName, type AgentReference, type ChainRecord } from '../../src/domain/records.ts';
import { findRun } from '../../src/results/find-run.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { exportHtml } from '../../src/viewer/export-html.ts';
import type { RunSource } from '../../src/viewer/run-source.ts';
import { createStoredRuns } from '../../src/viewer/stored-runs.ts';
import { startViewer, type ViewerServer } from '../../src/viewer/viewer-server.ts';
import { launchBrowser, type TestBrowser } from './browser.ts';
import { failedTree, writeRun, type GeneratedAgent } from './generated-run.ts';

/** Blobs that were deleted: what they held is missing, and everything else is shown. */
const soon = (read: () => unknown): ReturnType<typeof expect.poll> => expect.poll(read, { timeout: 30_000 });
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const folder = mkdtempSync(join(tmpdir(), 'rlm-missing-'));
let blobs: BlobStore;
let source: RunSource;
let viewer: ViewerServer;
let browser: TestBrowser;

beforeAll(async () => {
  blobs = createFileBlobStore({ path: join(folder, 'blobs') });
  const agents = failedTree().map((agent) =>
    agent.id === '0' ? { ...agent, answer: `an answer ${'.'.repeat(5000)}`, turns: printing(agent.turns) } : agent,
  );
  const patch = 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n';
  await writeRun(blobs, { run: 'holes', prompt: 'Fix it.', agents, status: 'completed', patch });
  await writeRun(blobs, {
    run: 'unasked',
    prompt: 'Lost.',
    agents: failedTree().slice(0, 1),
    status: 'failed',
    error: 'why',
  });
  const [holes, unasked] = [await findRun(blobs, 'holes'), await findRun(blobs, 'unasked')];
  const { outcome } = holes ?? {};
  const end = (await records('0.5')).at(-1);
  const root = await records('0');
  const calls = root.flatMap((record) => (record.kind === 'calls' ? record.calls : []));
  const answers = root.flatMap((record) => (record.kind === 'answers' ? record.answers : []));
  const graded = answers.find(({ call }) => call === '3.2')?.answer;
  const first = graded !== undefined && 'items' in graded ? graded.items[0] : undefined;
  const lost = [
    // Of agent 0.17 the reply of its second iteration, of 0.3 all that is known, of 0.5 the answer.
    (await records('0.17')).find((record) => record.kind === 'block')?.parent,
    (await headOf('0.3')).head,
    end?.kind === 'end' ? end.answer_ref : undefined,
    // What the root asked its sub-agents, and what it was answered first by a model.
    calls.find(({ call }) => call === '2.1')?.request,
    first !== undefined && 'ref' in first ? first.ref : undefined,
    // All that its first block printed.
    root.find((record) => record.kind === 'block')?.full?.stdout,
    outcome?.answer_ref,
    outcome?.patch_ref,
    unasked?.spec,
  ];
  for (const hash of lost) {
    // oxlint-disable-next-line no-await-in-loop -- a few
    if (typeof hash !== 'string' || !(await blobs.delete(hash, Number.MAX_SAFE_INTEGER))) throw new Error('not there');
  }
  source = createStoredRuns({ blobs });
  [viewer, browser] = await Promise.all([startViewer(source), launchBrowser()]);
});
afterAll(async () => {
  await viewer?.close();
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The first turn printed more than what is recorded with it. */
function printing([first, ...others]: GeneratedAgent['turns']): GeneratedAgent['turns'] {
  return first === undefined ? [] : [{ ...first, whole: 'all that was printed' }, ...others];
}

async function headOf(agent: string): Promise<AgentReference> {
  const { run, execution } = (await findRun(blobs, 'holes')) ?? { run: '', execution: '' };
  return (await blobs.getReference(agentReferenceName(run, execution, agent))) as AgentReference;
}

async function records(agent: string): Promise<readonly ChainRecord[]> {
  return createChains(blobs).walk((await headOf(agent)).head);
}

const GONE = /cannot be shown: blob [\w-]{43} is not in the blob store/;

describe('blobs that are missing', () => {
  it('leave what was recorded after them', async () => {
    const agent = await source.agent('holes', '0.17');
    expect(agent?.missing).toEqual([
      expect.stringMatching(/^What it did before iteration 2 cannot be shown: .* another store\?$/),
    ]);
    expect(agent?.iterations.map(({ iteration }) => iteration)).toEqual([2, 3]);
    expect(agent?.task.text).toMatch(/^Search for TODO comments/);
    expect((await source.agent('holes', '0.3'))?.missing).toEqual([
      expect.stringMatching(/^What it did cannot be shown/),
    ]);
    expect((await source.agent('holes', '0.5'))?.missing).toEqual([
      expect.stringMatching(/^Its answer cannot be shown/),
    ]);
    // Its parent has what the call was answered, and the call what was asked of the others.
    expect((await source.agent('holes', '0.17.1'))?.parent?.answer?.text).toContain('did not finish');
    const asked = await source.call('holes', { agent: '0', call: '2.1', first: 0, limit: 50 });
    expect(asked?.items).toHaveLength(25);
    expect(asked?.items[1]).toMatchObject({ asked: { text: expect.stringMatching(GONE) }, child: '0.2' });
    const graded = await source.call('holes', { agent: '0', call: '3.2', first: 0, limit: 2 });
    expect(graded?.items.map(({ answer }) => answer?.text)).toEqual([expect.stringMatching(GONE), 'hard']);
    await expect(source.request('holes', { agent: '0.17', index: 0 })).rejects.toThrow(GONE);
  });

  it('do not keep a run from being listed, searched, summed up and exported', async () => {
    expect((await source.list(10)).runs.map(({ run, prompt }) => [run, prompt])).toEqual([
      ['holes', 'Fix it.'],
      ['unasked', '(what was asked is missing in the blob store)'],
    ]);
    expect(await exportHtml(source, 'holes', { redact: false })).toContain('data-name="agent 0.17"');
    expect((await source.view('unasked'))?.missing).toEqual([
      expect.stringMatching(/^What was asked, and its settings, cannot/),
    ]);
  });

  it('are named in the page, where everything else can be used', async () => {
    const { page, problems } = await browser.open(viewer.link('holes'));
    const head = page.locator('.run-head');
    await soon(() => head.innerText()).toMatch(/All of the answer cannot be shown: .*The patch cannot be shown: /s);
    await soon(() => page.locator('.overview').innerText()).toMatch(
      /an answer \.\.\..*Agent 0\.17\.1|Agent 0\.17\.1.*an answer \.\.\./s,
    );
    const at = async (place: string): Promise<void> =>
      void (await page.goto(new URL(`/#/runs/holes${place}`, page.url()).href));
    await at('/agents/0.17');
    await soon(() => page.locator('.agent-pane').innerText()).toMatch(
      /Iterations\s+3.*What it did before iteration 2 cannot be shown.*so I skip this module/s,
    );
    await at('/agents/0.3');
    await soon(() => page.locator('.agent-pane').innerText()).toMatch(/What it did cannot be shown/);
    await at('/agents/0/1');
    await page.locator('#iteration-1').getByText('Download all of it').click();
    await soon(() => page.locator('#iteration-1').innerText()).toMatch(/is not in the blob store/);
    await at('/timeline');
    await soon(() => page.locator('.time-row').count()).toBeGreaterThan(10);
    await page.goto(new URL('/#/runs/unasked', page.url()).href);
    await soon(() => page.locator('.overview').innerText()).toContain('used up its iterations');
    // What was asked for and is not there: once to know, once to know why.
    expect(problems.map((each) => each.replace(/ http.*/, ''))).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining('404 (Not Found)')),
    );
  });
});
