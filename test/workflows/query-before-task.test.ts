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
  const first = spawn(process.execPath, ['--no-warnings', PROGRAM, folder, bundle], { stdio: 'inherit' });
  const handle = await temporal.client.workflow.start('messageBesideTimer', {
    workflowId: 'run',
    taskQueue: TASK_QUEUE,
  });
  await vi.waitFor(async () => expect(await eventTypes(handle)).toContain(EventType.EVENT_TYPE_TIMER_STARTED), 60_000);
  await killed(first);
  const answer = handle.query<string>('status');
  await vi.waitFor(async () => expect(await eventTypes(handle)).toContain(EventType.EVENT_TYPE_TIMER_FIRED), 30_000);
  const second = await createNoteWorker(native, bundle);
  const ended = second.run();
  expect(await answer).toBe('not told');
  await handle.signal('resume', {});
  await handle.result();
  second.shutdown();
  await ended;
  const types = await eventTypes(handle);
  const fired = types.indexOf(EventType.EVENT_TYPE_TIMER_FIRED);
  // What is to be shown: the task began after the message had come.
  expect(
    types
      .slice(fired + 1)
      .filter(isOf(SIGNALED, STARTED))
      .slice(0, 2),
  ).toEqual([SIGNALED, STARTED]);
  await Worker.runReplayHistory({ workflowBundle: { codePath: bundle } }, await handle.fetchHistory());
});

const SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
const STARTED = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED;

const isOf =
  (...wanted: readonly number[]) =>
  (type: number): boolean =>
    wanted.includes(type);

async function eventTypes(handle: WorkflowHandle): Promise<number[]> {
  return ((await handle.fetchHistory()).events ?? []).map(({ eventType }) => eventType ?? 0);
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  await delay(100);
}
