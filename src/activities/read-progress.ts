import { activityInfo } from '@temporalio/activity';
import type { RunActivity } from '../domain/contract.ts';
import { agentWorkflowId } from '../domain/ids.ts';
import type { RunProgress } from '../domain/messages.ts';
import { agentReferenceName, runReferenceName, type AgentReference } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import { addUsage } from '../domain/usage.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';

/** Agents that are named one by one. */
const MAX_NAMED = 10;
const MAX_FAILURE_CHARACTERS = 300;

const WAITS_FOR: Readonly<Record<string, string>> = {
  starting: 'its sandbox and its first model call',
  thinking: 'the model',
  running: 'its code',
  waiting: 'answers to calls of its code',
  closing: 'its patch and the end of its sandbox',
};

/** What the agents of a run have done so far, and what they wait for: as their references and Temporal have it. */
export async function readProgress(
  deps: Pick<ActivityDependencies, 'blobs' | 'pendingFailures'>,
  input: RunActivity,
): Promise<RunProgress> {
  return withHeartbeat(() => progressOf(deps, input));
}

async function progressOf(
  deps: Pick<ActivityDependencies, 'blobs' | 'pendingFailures'>,
  { execution }: RunActivity,
): Promise<RunProgress> {
  const run = activityInfo().workflowExecution?.workflowId ?? '';
  const names = await deps.blobs.listReferences(agentReferenceName(run, execution, ''));
  const ofAgents = names.filter((name) => name !== runReferenceName(run, execution));
  const agents = (await Promise.all(ofAgents.map((name) => deps.blobs.getReference(name)))) as AgentReference[];
  const working = agents.filter(({ state }) => state !== 'done');
  const named = working.slice(0, MAX_NAMED);
  const failures = await deps.pendingFailures(named.map(({ agent }) => agentWorkflowId(run, agent)));
  const { llm_calls, input_tokens, output_tokens, cost } = addUsage(...agents.map(({ usage }) => usage));
  return {
    at: new Date().toISOString(),
    agents: agents.length,
    working: working.length,
    iterations: agents.reduce((sum, { iteration }) => sum + iteration, 0),
    llm_calls,
    input_tokens,
    output_tokens,
    cost,
    waiting_for: named.map(({ agent, state }) => {
      const failure = failures.find(({ workflowId }) => workflowId === agentWorkflowId(run, agent));
      const retried =
        failure === undefined
          ? ''
          : ` (attempt ${failure.attempt}: ${truncate(failure.message, MAX_FAILURE_CHARACTERS)})`;
      return `agent ${agent} for ${WAITS_FOR[state] ?? state}${retried}`;
    }),
  };
}
