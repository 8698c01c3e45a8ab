import { WorkflowClient, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { nullWithoutKey } from './payload-codec.ts';

/**
 * Workflows that match a query of Temporal's. What their memos hold is null where this process lacks the key that it is encrypted
 * with.
 */
export function listWorkflows({ connection, options }: Client, query: string): AsyncIterable<WorkflowExecutionInfo> {
  const { namespace, loadedDataConverter } = options;
  const payloadCodecs = loadedDataConverter.payloadCodecs.map(nullWithoutKey);
  return new WorkflowClient({ connection, namespace, dataConverter: { payloadCodecs } }).list({ query });
}
