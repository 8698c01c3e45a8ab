import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, Worker, type NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import { createActivities } from '../../src/activities/index.ts';
import { createTemporalBatches, type TemporalBatches } from '../../src/client/temporal-batches.ts';
import type { BatchItem, BatchOutcome, BatchReport, BatchState } from '../../src/domain/batch.ts';
import type { BatchActivities } from '../../src/domain/contract-batch.ts';
import { pauseMessage, resumeMessage, setBudgetMessage, statusQuery } from '../../src/domain/messages.ts';
import { runReferenceName, type RunOutcome, type RunStatus } from '../../src/domain/records.ts';
import { NO_USAGE } from '../../src/domain/usage.ts';
import { findRun, indexRuns } from '../../src/results/find-run.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { sized } from '../sizes.ts';
import { testCacheDirectory } from '../temporal/fixtures.ts';
import type { ShortRunActivities } from './batch-with-short-runs.ts';

/** The workflow `batch` and its activities on a real server and store; the runs of its items are one activity each. */
vi.setConfig({ testTimeout: sized(120_000, 1_800_000) });

const TASK_QUEUE = 'batches';
const ITEMS = sized(60, 10_000);
const CONCURRENCY = sized(20, 100);
/** Events after which the server suggests to continue as new: its own default in the long run. */
const LONG_HISTORY = sized(100, 4096);

let folder: string;
let server: DevServer;
let temporal: TemporalConnection;
let native: NativeConnection;
let worker: Worker;
let ending: Promise<void>;
let batches: TemporalBatches;
let blobs: BlobStore;
/** How often the run of an item was done. */
const done = new Map<string, number>();
/** What the activities have asked of the store since it was last emptied. */
const asked = { bytes: 0, lists: 0 };
/** Runs wait for it before they end. */
let held: Promise<void> = Promise.resolve();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-batches-'));
  await installRuntime();
  server = await startOrAttachDevServer({
    stateDirectory: folder,
    cacheDirectory: testCacheDirectory(),
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': String(LONG_HISTORY) },
  });
  temporal = await connect(embeddedTarget(server));
  native = await temporal.connectWorker();
  batches = createTemporalBatches({ client: temporal.client, taskQueue: TASK_QUEUE });
  blobs = createFileBlobStore({ path: join(folder, 'blobs') });
  worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('batch-with-short-runs.ts', import.meta.url)),
      logger: new DefaultLogger('WARN'),
    }),
    activities: activitiesOn(blobs),
  });
  ending = worker.run();
}, 120_000);
afterAll(async () => {
  worker?.shutdown();
  await ending;
  await native?.close();
  await temporal?.close();
  await server?.release({ wait: true });
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

function activitiesOn(store: BlobStore): BatchActivities & ShortRunActivities {
  const counted: BlobStore = {
    ...store,
    get: async (hash) => {
      const bytes = await store.get(hash);
      asked.bytes += bytes.length;
      return bytes;
    },
    listReferences: (prefix) => {
      asked.lists += 1;
      return store.listReferences(prefix);
    },
  };
  // Nothing is kept in memory: every blob that is read counts.
  const chains = createChains(counted, { cacheCharacters: 0 });
  const deps = {
    blobs: counted,
    chains,
    findRun: (run: string) => findRun(counted, run),
    indexRuns: (beginning: string) => indexRuns(counted, beginning),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that these activities use
  } as unknown as ActivityDependencies;
  const real = createActivities(deps);
  return {
    prepareBatch: (input) => real.prepareBatch(input),
    readBatchItems: (input) => real.readBatchItems(input),
    endMeanwhile: (input) => real.endMeanwhile(input),
    endOfItem: (input) => real.endOfItem(input),
    recordBatch: (input) => real.recordBatch(input),
    async doItem({ run, execution, input }) {
      done.set(run, (done.get(run) ?? 0) + 1);
      await held;
      const { n } = (input as { readonly inputs: { readonly n: number } }).inputs;
      if (n < 0) throw ApplicationFailure.nonRetryable('no worker does this');
      const outcome = outcomeOf(run, isBad(n) ? 'failed' : 'completed', `${2 * n}`);
      const now = Date.now();
      const reference = { run, execution, spec: '', started_at: now, ended_at: now, outcome };
      await store.setReference(runReferenceName(run, execution), reference);
      if (outcome.status === 'failed') throw ApplicationFailure.nonRetryable(`${n} is bad`);
      return outcome;
    },
  };
}

const isBad = (n: number): boolean => n % 100 === 13;

function outcomeOf(run: string, status: RunStatus, answer: string): RunOutcome {
  const isCompleted = status === 'completed';
  return {
    run_id: run,
    status,
    answer: isCompleted ? answer : null,
    answer_truncated: false,
    answer_ref: null,
    answer_source: isCompleted ? 'final' : 'none',
    patch_ref: null,
    error: isCompleted ? null : 'it is bad',
    notes: [],
    agents: 1,
    max_depth: 0,
    iterations: 1,
    sandboxes: 1,
    usage: { ...NO_USAGE, llm_calls: 1, cost: 0.001 },
    execution_time: 1,
  };
}

/** @param text something that each item carries besides its number */
function itemsOf(count: number, text = ''): BatchItem[] {
  return Array.from({ length: count }, (_, n) => ({ signature: 'n: int, text: str -> m: int', inputs: { n, text } }));
}

async function runBatch(batch: string, items: readonly BatchItem[], more: object = {}): Promise<BatchOutcome> {
  Object.assign(asked, { bytes: 0, lists: 0 });
  const chains = createChains(blobs);
  await batches.start(batch, { stored_items: await chains.putJson(items), concurrency: CONCURRENCY, ...more }, batch);
  const end = await batches.end(batch);
  if (end.kind !== 'ended') throw new Error(`${end.kind}: ${end.error}`);
  return end.outcome;
}

async function reportOf({ report_ref }: BatchOutcome): Promise<BatchReport> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by recordBatch
  return (await createChains(blobs).getJson(report_ref ?? '')) as BatchReport;
}

interface Execution {
  readonly events: number;
  readonly bytes: number;
  /** Bytes of what it was started with. */
  readonly input: number;
}

async function executionsOf(batch: string): Promise<Execution[]> {
  const executions: Execution[] = [];
  for await (const { runId } of temporal.client.workflow.list({ query: `WorkflowId = '${batch}'` })) {
    const handle = temporal.client.workflow.getHandle(batch, runId);
    const { historyLength: events, historySize: bytes = 0 } = await handle.describe();
    const [first] = (await handle.fetchHistory()).events ?? [];
    const payloads = first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    executions.push({ events, bytes, input: payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0) });
  }
  return executions;
}

describe('a batch of many items', () => {
  const bad = Array.from({ length: ITEMS }, (_, n) => n).filter(isBad).length;

  it('continues as new between them, with as much as before; each item ran once and stands once in the report', async () => {
    const outcome = await runBatch('many', itemsOf(ITEMS));
    expect(outcome).toMatchObject({ status: 'completed', total: ITEMS, cost: expect.closeTo(ITEMS * 0.001, 6) });
    expect(outcome.counts).toEqual({
      completed: ITEMS - bad,
      failed: bad,
      kept_completed: 0,
      kept_failed: 0,
      not_started: 0,
    });
    const { items } = await reportOf(outcome);
    expect(items.map(({ item }) => item)).toEqual(Array.from({ length: ITEMS }, (_, n) => `item ${n + 1}`));
    expect(items.map(({ answer, error }) => answer ?? error)).toEqual(
      Array.from({ length: ITEMS }, (_, n) => (isBad(n) ? 'it is bad' : `${2 * n}`)),
    );
    expect([...done.values()].filter((times) => times !== 1)).toEqual([]);
    expect(done.size).toBe(ITEMS);
    await vi.waitFor(async () => expect((await executionsOf('many')).length).toBeGreaterThan(1), 30_000);
    for (const { events, bytes, input } of await executionsOf('many')) {
      // What is at work when the server suggests it comes to its end.
      expect(events).toBeLessThan(LONG_HISTORY + CONCURRENCY * 12);
      expect(bytes).toBeLessThan(8_000_000);
      expect(input).toBeLessThan(1000);
    }
    // Once to plan, once in pages to start their runs, once to report; not once for each page or each item.
    const size = JSON.stringify(itemsOf(ITEMS)).length;
    expect(asked.bytes).toBeLessThan(20 * size);
    expect(asked.lists).toBeLessThan(bad + 10);
  });

  it('that is started again reads how they have ended, and does nothing else', async () => {
    const outcome = await runBatch('many', itemsOf(ITEMS));
    expect(outcome.counts).toMatchObject({ completed: 0, failed: 0, kept_completed: ITEMS - bad, kept_failed: bad });
    expect((await reportOf(outcome)).items.filter(({ is_new }) => is_new)).toEqual([]);
    expect(done.size).toBe(ITEMS);
    expect([...done.values()].filter((times) => times !== 1)).toEqual([]);
    expect(asked.lists).toBeLessThan(10);
  });

  it('runs those again that failed, on request', async () => {
    const retried = await runBatch('many', itemsOf(ITEMS), { retry_failed: true });
    expect(retried.counts).toMatchObject({ completed: 0, failed: bad, kept_completed: ITEMS - bad });
    expect([...done.values()].filter((times) => times !== 1)).toEqual(Array.from({ length: bad }, () => 2));
  });

  it('that are large is read in pages that fit into a payload of Temporal', async () => {
    const outcome = await runBatch('large', itemsOf(6, 'x'.repeat(400_000)));
    expect(outcome).toMatchObject({ status: 'completed', counts: { completed: 6 } });
  });

  it('says of a run that failed before it had stored anything why it did', async () => {
    const [item] = itemsOf(1);
    const outcome = await runBatch('early', [
      item as BatchItem,
      { signature: 'n: int, text: str -> m: int', inputs: { n: -1 } },
    ]);
    expect(outcome.counts).toMatchObject({ completed: 1, failed: 1, not_started: 0 });
    expect((await reportOf(outcome)).items).toMatchObject([
      { status: 'completed' },
      { status: 'failed', is_new: true, error: expect.stringContaining('no worker does this') as unknown },
    ]);
  });

  it('is refused where an item is too large for Temporal', async () => {
    const items = [...itemsOf(1), ...itemsOf(1, 'x'.repeat(2_000_000))];
    await expect(runBatch('too-large', items)).rejects.toThrow(
      /failed: Item 2 has \d+ bytes of JSON: an item may have/,
    );
  });

  it('reads again how a run ended that was at work when it started: it does not run twice', async () => {
    const items = itemsOf(3, 'late');
    const { report_ref } = await runBatch('late', items);
    const report = await reportOf({ report_ref } as BatchOutcome);
    const last = report.items.at(-1)?.run ?? '';
    const [name = ''] = await blobs.listReferences(`runs/${last}@`);
    const ended = (await blobs.getReference(name)) as object;
    // As after a batch that was terminated while its first and its last item were at work.
    const [first = ''] = await blobs.listReferences(`runs/${report.items[0]?.run}@`);
    await blobs.deleteReference(first);
    await blobs.setReference(name, { ...ended, outcome: undefined, ended_at: undefined });
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    const again = runBatch('late', items, { concurrency: 1 });
    await vi.waitFor(() => expect(done.get(report.items[0]?.run ?? '')).toBe(2), 30_000);
    await blobs.setReference(name, ended);
    release();
    expect((await again).counts).toMatchObject({ completed: 1, kept_completed: 2 });
    expect(done.get(last)).toBe(1);
  });
});

describe('a person', () => {
  it('pauses it while a run is being started: that run is told as well', async () => {
    const { workflow } = temporal.client;
    const items = itemsOf(1, 'taken');
    const { items: ended } = await reportOf(await runBatch('taken', items));
    const run = ended[0]?.run ?? '';
    const [name = ''] = await blobs.listReferences(`runs/${run}@`);
    await blobs.deleteReference(name);
    // The batch cannot start the run as long as another has its id.
    const other = await workflow.start('stay', { workflowId: run, taskQueue: TASK_QUEUE, args: [] });
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    const again = runBatch('taken', items);
    await vi.waitFor(async () => {
      const { events } = await other.fetchHistory();
      expect(events?.some(({ workflowExecutionCancelRequestedEventAttributes: asks }) => asks)).toBe(true);
    }, 20_000);
    await workflow.getHandle('taken').signal(pauseMessage, { reason: 'lunch' });
    await other.signal('leave');
    const told = async (): Promise<unknown[]> => {
      const { events } = await workflow.getHandle(run).fetchHistory();
      return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: sent }) => sent?.signalName ?? []);
    };
    await vi.waitFor(async () => expect(await told()).toEqual([pauseMessage]), 20_000);
    await workflow.getHandle('taken').signal(resumeMessage);
    await vi.waitFor(async () => expect(await told()).toEqual([pauseMessage, resumeMessage]), 20_000);
    release();
    expect((await again).counts).toMatchObject({ completed: 1 });
  });

  it('pauses it with a reason, which is shown; what a batch has no use for is refused by name', async () => {
    const { workflow } = temporal.client;
    const handle = await workflow.signalWithStart('batch', {
      workflowId: 'paused',
      taskQueue: TASK_QUEUE,
      args: [{ items: itemsOf(3) }],
      signal: pauseMessage,
      signalArgs: [{ reason: 'lunch' }],
    });
    await vi.waitFor(
      async () =>
        expect(await handle.query<BatchState>(statusQuery)).toMatchObject({ status: 'paused', reason: 'lunch' }),
      20_000,
    );
    const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toMatch(/; paused: lunch$/);
    const update = (name: string, message: object): Promise<unknown> =>
      handle.executeUpdate<unknown, [object]>(name, { args: [message] }).catch((error: unknown) =>
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has one
        (error as Error).cause instanceof ApplicationFailure ? ((error as Error).cause as Error).message : error,
      );
    expect(await update(setBudgetMessage, { max_sandboxes: 5, max_cost: 1 })).toBe(
      'The update setBudget was refused: a batch has max_cost only: max_sandboxes can be set for each of its runs.',
    );
    expect(await update(pauseMessage, { agent: '0.1' })).toBe(
      'The update pause was refused: a batch has no agents: send it to the run of agent 0.1.',
    );
    await handle.signal(setBudgetMessage, { global_timeout: 5 });
    expect(await update(setBudgetMessage, { max_cost: 1 })).toMatchObject({
      max_cost: 1,
      notes: [
        'The signal setBudget was ignored: a batch has max_cost only: global_timeout can be set for each of its runs.',
      ],
    });
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed', counts: { completed: 3 } });
  });
});
