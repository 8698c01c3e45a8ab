import { setTimeout as delay } from 'node:timers/promises';
import { msToTs } from '@temporalio/common/lib/time.js';
import { RETENTION_DAYS } from './dev-server-arguments.ts';
import { dial } from './dial.ts';
import { TemporalSetupError } from './errors.ts';

const SECONDS_A_DAY = 86_400;
const NOT_FOUND = 5;

/**
 * Makes a namespace on an embedded server ready for use: made when missing, histories kept long enough. Once: what an
 * operator sets later stays.
 *
 * @param patience milliseconds that a server which has just started gets to answer.
 */
export async function ensureNamespace(address: string, namespace: string, patience: number): Promise<void> {
  // Loaded here, while a server that was just started gets going: it takes a third of a second.
  const { Connection } = await import('@temporalio/client');
  const dialed = await dial(address);
  const deadline = Date.now() + patience;
  try {
    for (;;) {
      try {
        const connectTimeout = Math.max(deadline - Date.now(), 1000);
        const connection = await Connection.connect({
          ...dialed.clientOptions,
          address: dialed.address,
          connectTimeout,
        });
        try {
          return await connection.withDeadline(deadline, () => prepare(connection, namespace));
        } finally {
          await connection.close();
        }
      } catch (error) {
        if (Date.now() >= deadline) {
          throw new TemporalSetupError(`The Temporal server at ${address} does not answer: ${String(error)}`, {
            cause: error,
          });
        }
        await delay(20);
      }
    }
  } finally {
    await dialed.close();
  }
}

type Connection = import('@temporalio/client').Connection;

async function prepare(connection: Connection, namespace: string): Promise<void> {
  const service = connection.workflowService;
  const retention = msToTs(RETENTION_DAYS * SECONDS_A_DAY * 1000);
  const data = await dataOf(connection, namespace);
  if (data === undefined) {
    await service.registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention, data: PREPARED });
    await known(connection, namespace);
  } else if (!(MARK in data)) {
    await service.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: retention },
      updateInfo: { data: PREPARED },
    });
  }
}

/** In the data of a namespace: its retention has been set by us, and is the operator's from then on. */
const MARK = 'durable-rlm';
const PREPARED = { [MARK]: 'prepared' };

/** Each part of the server keeps its own list of namespaces and learns of a new one within seconds. */
async function known(connection: Connection, namespace: string): Promise<void> {
  for (;;) {
    try {
      await connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId: 'none' } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!/namespace/i.test(error.message)) return;
    }
    await delay(50);
  }
}

/** Undefined when the namespace does not exist. */
async function dataOf(
  connection: Connection,
  namespace: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const answer = await connection.workflowService.describeNamespace({ namespace });
    return answer.namespaceInfo?.data ?? {};
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function isNotFound(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === NOT_FOUND;
}
