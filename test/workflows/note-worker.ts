import { Worker, type NativeConnection } from '@temporalio/worker';
import { cacheDirectory } from '../../src/config/directories.ts';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import type { NoteActivities } from './message-beside-timer.ts';

export const TASK_QUEUE = 'notes';

export function createNoteWorker(connection: NativeConnection, bundle: string): Promise<Worker> {
  const activities: NoteActivities = { noteTimer: async () => undefined, noteMessage: async () => undefined };
  return Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: bundle },
    activities,
    // For this long the server keeps a task for a worker that has been killed.
    stickyQueueScheduleToStartTimeout: '5s',
  });
}

// A process of its own, which is killed.
if (process.argv[1] === import.meta.filename) {
  const [, , stateDirectory = '', bundle = ''] = process.argv;
  await installRuntime();
  const server = await startOrAttachDevServer({ stateDirectory, cacheDirectory: cacheDirectory(process.env) });
  const temporal = await connect(embeddedTarget(server));
  const worker = await createNoteWorker(await temporal.connectWorker(), bundle);
  await worker.run();
}
