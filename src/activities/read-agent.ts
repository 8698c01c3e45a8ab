import type { FinishAgentResult, ReadAgentInput, RecordedAgent, Totals } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { agentDepth } from '../domain/ids.ts';
import { lastKnownAnswer } from '../domain/prompts/conversation.ts';
import { agentReferenceName, type AgentReference } from '../domain/records.ts';
import { addUsage } from '../domain/usage.ts';
import type { ActivityDependencies, ForAgent, Stores } from './dependencies.ts';
import { finishResult, previewOf } from './finish-agent.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import type { AgentContext } from './agent-context.ts';
import { readAgentReference } from './agent-reference.ts';

/** What is recorded of a sub-agent and all below it. */
export async function readAgent(
  deps: ActivityDependencies,
  { scope, agent }: ForAgent<ReadAgentInput>,
): Promise<RecordedAgent> {
  if (!agent.startsWith(`${scope.agent}.`))
    throw new TypedError('Input.NotAllowed', `Agent ${agent.slice(0, 80)} is not a sub-agent of agent ${scope.agent}.`);
  return withHeartbeat(async () => {
    const totals = await recordedTotals(deps, scope, agent);
    return { ...(await recordedAnswer(deps, { ...scope, agent })), totals };
  });
}

export async function recordedTotals(
  { blobs }: Stores,
  { run, execution }: Pick<AgentContext, 'run' | 'execution'>,
  agent: string,
): Promise<Totals> {
  const folder = agentReferenceName(run, execution, '');
  const names = await blobs.listReferences(folder);
  const ofAgent = names.filter((name) => name === `${folder}${agent}` || name.startsWith(`${folder}${agent}.`));
  const agents = (await Promise.all(ofAgent.map((name) => blobs.getReference(name)))) as AgentReference[];
  return {
    agents: agents.length,
    depth: Math.max(agentDepth(agent), ...agents.map(({ depth }) => depth)),
    iterations: agents.reduce((sum, { iteration }) => sum + iteration, 0),
    sandboxes: agents.filter(({ sandbox }) => sandbox !== null).length,
    usage: addUsage(...agents.map(({ usage }) => usage)),
    refused: { prompts: 0, tasks: 0 },
  };
}

/** What it gave at its end; of one without an end the last answer that is known. */
export async function recordedAnswer(deps: Stores, scope: AgentContext): Promise<FinishAgentResult> {
  const reference = await readAgentReference(deps, scope);
  if (reference === undefined) return {};
  const records = await deps.chains.walk(reference.head);
  const end = records.at(-1);
  const isRoot = agentDepth(scope.agent) === 0;
  if (end?.kind === 'end') return finishResult(deps, end, isRoot);
  const known = lastKnownAnswer(records);
  if (known === undefined) return {};
  const answer_ref = await deps.chains.putJson(known);
  return { answer_ref, answer_source: 'partial', ...(isRoot ? previewOf(known) : {}) };
}
