import { activityInfo } from '@temporalio/activity';
import { TypedError } from '../domain/failures.ts';
import { isAgentId, splitAgentWorkflowId } from '../domain/ids.ts';
import { runReferenceName, type RunReference } from '../domain/records.ts';
import type { BlobStore } from '../storage/blob-store.ts';

/** Names an agent's data: which run, which execution of it, which agent, and the run's specification. */
export interface AgentContext {
  readonly run: string;
  readonly execution: string;
  readonly agent: string;
  readonly spec: string;
  /** The specification with the configuration in force: another one where a person has changed it since the run began. */
  readonly settings: string;
}

/** Of the agent whose workflow runs the current activity. */
export async function currentScope({ blobs }: { readonly blobs: BlobStore }, execution: string): Promise<AgentContext> {
  const { workflowExecution } = activityInfo();
  const { run, agent } = splitAgentWorkflowId(workflowExecution?.workflowId ?? '');
  // Else it could be one of the names that other things are kept under.
  if (!isAgentId(agent)) throw new TypedError('Input.NotAllowed', `"${agent.slice(0, 80)}" is not the id of an agent.`);
  const reference = (await blobs.getReference(runReferenceName(run, execution))) as RunReference | undefined;
  if (reference === undefined) {
    throw new TypedError(
      'Storage.Missing',
      `run ${run} is not in the blob store: does this worker use another store than the one that began it?`,
    );
  }
  const { spec, settings = spec } = reference;
  return { run, execution, agent, spec, settings };
}
