import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createResultsWriter, type ResultsDetail } from '../../src/results/results-files.ts';
import { createRunReader } from '../../src/results/run-reader.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { beginRun, createSyntheticStore, endRun, EXECUTION, writeAgent, type SyntheticStore } from './synthetic-run.ts';

let store: SyntheticStore;
let folder: string;

beforeEach(async () => {
  store = await createSyntheticStore();
  folder = join(store.path, 'results');
});
afterEach(() => store.remove());

async function write(run: string, blobs: BlobStore = store.blobs): Promise<ResultsDetail> {
  const reader = createRunReader(blobs, { run, execution: EXECUTION });
  const writer = createResultsWriter({ blobs, reader, folder, run });
  const snapshot = await reader.snapshot();
  if (snapshot === undefined) throw new Error('no such run');
  await writer.write(snapshot);
  return readJson(`${run}.detail.json`) as Promise<ResultsDetail>;
}

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as unknown;
}

describe('a detail file', () => {
  it("has the reference's shape, sub-agents nested where they were started", async () => {
    const run = await beginRun(store, { run: 'nested' });
    await writeAgent(store, run, {
      agent: '0',
      task: 'Fix it',
      turns: [{ code: 'rlm_query_batched(tasks)\n', spawned: ['0.1', '0.2'] }, { error: 'NameError: x' }],
      answer: { done: true },
    });
    await writeAgent(store, run, { agent: '0.1', turns: [{ spawned: ['0.1.1'] }], answer: 'first' });
    await writeAgent(store, run, { agent: '0.1.1', turns: [{}, {}], answer: 'deep' });
    await writeAgent(store, run, { agent: '0.2', turns: [], reference: { state: 'starting', sandbox: null } });

    const detail = await write('nested');

    expect(Object.keys(detail).slice(0, 2)).toEqual(['run_id', 'root_agent']);
    const root = detail.root_agent;
    expect(Object.keys(root ?? {}).slice(0, 11)).toEqual([
      'agent_id',
      'depth',
      'sandbox_id',
      'task',
      'iterations',
      'spawned_agents',
      'result',
      'result_truncated',
      'usage',
      'execution_time',
      'error',
    ]);
    expect(root).toMatchObject({ agent_id: '0', depth: 0, sandbox_id: 'sandbox-0', task: 'Fix it', error: null });
    expect(root?.result).toBe('{"done":true}');
    expect(root?.iterations.map(({ spawned_agents }) => spawned_agents)).toEqual([
      [
        { agent_id: '0.1', depth: 1 },
        { agent_id: '0.2', depth: 1 },
      ],
      [],
    ]);
    expect(root?.iterations[1]).toMatchObject({
      iteration: 2,
      prompt: 'message before turn 2',
      raw_response: expect.stringContaining('Turn 2.'),
      parsed_code_blocks: [
        { code: 'print(2)\n', stdout: '2\n', stderr: '', execution_time: 0.1, error: 'NameError: x' },
      ],
    });
    expect(root?.spawned_agents.map(({ agent_id }) => agent_id)).toEqual(['0.1', '0.2']);
    expect(root?.spawned_agents[0]?.spawned_agents[0]).toMatchObject({ agent_id: '0.1.1', result: 'deep' });
    expect(root?.spawned_agents[1]).toMatchObject({ result: null, sandbox_id: '', iterations: [], status: 'running' });
  });

  it("counts into an agent's usage that of all below it", async () => {
    const run = await beginRun(store, { run: 'usage' });
    await writeAgent(store, run, { agent: '0', turns: [{}], answer: 'x' });
    await writeAgent(store, run, { agent: '0.1', turns: [{}, {}], answer: 'y' });
    await writeAgent(store, run, { agent: '0.1.1', turns: [{}, {}, {}], answer: 'z' });

    const { root_agent } = await write('usage');

    expect(root_agent?.usage).toMatchObject({ input_tokens: 6000, output_tokens: 600, cost: 0.006 });
    expect(root_agent?.own_usage).toMatchObject({ input_tokens: 1000 });
    expect(root_agent?.spawned_agents[0]?.usage).toMatchObject({ input_tokens: 5000, cost: 0.005 });
  });

  it('grows linearly with the conversation: each prompt holds the last message only', async () => {
    const run = await beginRun(store, { run: 'linear' });
    const size = async (turns: number): Promise<number> => {
      await writeAgent(store, run, { agent: '0', turns: Array.from({ length: turns }, () => ({})) });
      await write('linear');
      return (await readFile(join(folder, 'linear.detail.json'))).length;
    };
    const [ten, twenty, forty] = [await size(10), await size(20), await size(40)];
    expect((forty - twenty) / (twenty - ten)).toBeCloseTo(2, 1);
  });

  it('holds the whole answer and the patch, as base64 where it is not UTF-8', async () => {
    const run = await beginRun(store, { run: 'outcome' });
    await writeAgent(store, run, { agent: '0', turns: [{}], answer: 'see patch' });
    await endRun(store, run, { wholeAnswer: { files: 3 }, patchBytes: Buffer.from('diff --git a b\n') });
    expect(await write('outcome')).toMatchObject({
      status: 'completed',
      answer: { files: 3 },
      patch: 'diff --git a b\n',
    });

    const latin1 = Buffer.from([0x64, 0xe9, 0x0a]);
    await endRun(store, run, { patchBytes: latin1 });
    expect(await write('outcome')).toMatchObject({ patch: null, patch_base64: latin1.toString('base64') });
  });

  it('is there before the root agent has begun', async () => {
    await beginRun(store, { run: 'early' });
    expect(await write('early')).toMatchObject({ run_id: 'early', root_agent: null, status: 'running' });
  });
});

describe('writing as the run goes', () => {
  it('reads only records that are new, and writes only when something changed', async () => {
    const run = await beginRun(store, { run: 'growing' });
    let reads = 0;
    const blobs: BlobStore = {
      ...store.blobs,
      get: (hash) => {
        reads += 1;
        return store.blobs.get(hash);
      },
    };
    const reader = createRunReader(blobs, { run: 'growing', execution: EXECUTION });
    const writer = createResultsWriter({ blobs, reader, folder, run: 'growing' });
    const update = async (): Promise<number> => {
      const before = reads;
      const snapshot = await reader.snapshot();
      if (snapshot !== undefined) await writer.write(snapshot);
      return reads - before;
    };
    await writeAgent(store, run, { agent: '0', turns: [{}, {}] });
    await writeAgent(store, run, { agent: '0.1', turns: [{}], answer: 'done' });
    // The specification, 5 records of the root, 4 of its sub-agent and its answer.
    expect(await update()).toBe(11);
    expect(await update()).toBe(0);
    await writeAgent(store, run, { agent: '0', turns: [{}, {}, {}] });
    expect(await update()).toBe(2);
    expect(await readJson('growing.detail.json')).toMatchObject({ root_agent: { iterations: { length: 3 } } });
  });

  it('has what becomes of an agent that had failed when its run is retried', async () => {
    const run = await beginRun(store, { run: 'retried' });
    const reader = createRunReader(store.blobs, { run: 'retried', execution: EXECUTION });
    const stateOf = async (): Promise<unknown> => (await reader.snapshot())?.agents[0]?.status;
    const failed = { state: 'done', status: 'failed' } as const;
    await writeAgent(store, run, { agent: '0', turns: [{}], reference: failed });
    expect(await stateOf()).toBe('failed');
    await writeAgent(store, run, { agent: '0', turns: [{}, {}], answer: 'well' });
    expect(await stateOf()).toBe('completed');
  });

  it('leaves no temporary file', async () => {
    await beginRun(store, { run: 'tidy' });
    await write('tidy');
    expect((await readdir(folder)).toSorted()).toEqual(['index.json', 'tidy.detail.json']);
  });
});

describe('the index', () => {
  it('lists the newest first and keeps what is there', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'older.detail.json'), '{}');
    await writeFile(join(folder, 'index.json'), '["older.detail.json", "deleted.detail.json"]');
    for (const run of ['first', 'second']) {
      await beginRun(store, { run });
      await write(run);
    }
    await write('first');
    expect(await readJson('index.json')).toEqual(['second.detail.json', 'first.detail.json', 'older.detail.json']);
  });

  it('is made anew when it is damaged or gone', async () => {
    await beginRun(store, { run: 'only' });
    await write('only');
    await writeFile(join(folder, 'index.json'), '["only.det');
    await write('only');
    expect(await readJson('index.json')).toEqual(['only.detail.json']);
    await rm(join(folder, 'index.json'));
    await write('only');
    expect(await readJson('index.json')).toEqual(['only.detail.json']);
    // In a folder that came with a stranger's it may be what is read without an end.
    await rm(join(folder, 'index.json'));
    await symlink('/dev/zero', join(folder, 'index.json'));
    await write('only');
    expect(await readJson('index.json')).toEqual(['only.detail.json']);
  });

  it('holds every run when many are written at the same time', async () => {
    const runs = Array.from({ length: 25 }, (_, index) => `run-${index}`);
    for (const run of runs) await beginRun(store, { run });
    await Promise.all(runs.map((run) => write(run)));
    expect(new Set((await readJson('index.json')) as string[])).toEqual(
      new Set(runs.map((run) => `${run}.detail.json`)),
    );
  });
});
