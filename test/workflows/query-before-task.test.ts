import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { temporal as api } from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, Worker, type NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { createNoteWorker, TASK_QUEUE } from './note-worker.ts';

/**
 * A worker is killed while somebody asks how a run stands, and before a timer fires. The next worker answers the query first,
 * for which it handles the timer; then a message comes; then the task with both.
 */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const { EventType } = api.api.enums.v1;
const PROGRAM = fileURLToPath(new URL('note-worker.ts', import.meta.url));

let folder: string;
let bundle: string;
let server: DevServer;
let temporal: TemporalConnection;
let native: NativeConnection;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-query-'));
  bundle = join(folder, 'bundle.js');
  await installRuntime();
  server = await startOrAttachDevServer({ stateDirectory: folder, cacheDirectory: cacheDirectory(process.env) });
  temporal = await connect(embeddedTarget(server));
  native = await temporal.connectWorker();
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('message-beside-timer.ts', import.meta.url)),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(bundle, code);
});
afterAll(async () => {
  await native?.close();
  await temporal?.close();
  await server?.release({ wait: true });
  rmSync(folder, { recursive: true, force: true });
});

it('a message that comes between a query and the task that it belongs to leaves a history that replays', async () => {
  // On a busy machine the task may begin before the message comes.
  for (let attempt = 1; ; attempt += 1) {
    /* oxlint-disable no-await-in-loop -- one after another */
    const history = await play(`run-${attempt}`);
    const types = typesOf(history);
    await Worker.runReplayHistory({ workflowBundle: { codePath: bundle } }, history);
    /* oxlint-enable no-await-in-loop */
    const after = types.slice(types.indexOf(FIRED) + 1).filter((type) => [SIGNALED, STARTED].includes(type));
    if (after[0] === SIGNALED) return;
    expect(attempt, 'the message came too late each time').toBeLessThan(4);
  }
});

async function play(workflowId: string): Promise<History> {
  const first = spawn(process.execPath, ['--no-warnings', PROGRAM, folder, bundle], { stdio: 'inherit' });
  const handle = await temporal.client.workflow.start('messageBesideTimer', { workflowId, taskQueue: TASK_QUEUE });
  const has = async (type: number): Promise<void> => expect(typesOf(await handle.fetchHistory())).toContain(type);
  await vi.waitFor(() => has(EventType.EVENT_TYPE_TIMER_STARTED), 60_000);
  await killed(first);
  const answer = handle.query<string>('status');
  await vi.waitFor(() => has(FIRED), 30_000);
  const second = await createNoteWorker(native, bundle);
  const ended = second.run();
  expect(await answer).toBe('not told');
  await handle.signal('resume', {});
  await handle.result();
  second.shutdown();
  await ended;
  return handle.fetchHistory();
}

const FIRED: number = EventType.EVENT_TYPE_TIMER_FIRED;
const SIGNALED: number = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
const STARTED: number = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED;

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

function typesOf({ events }: History): number[] {
  return (events ?? []).map(({ eventType }) => eventType ?? 0);
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  await delay(100);
}
