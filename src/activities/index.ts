import type { Activities } from '../domain/contract.ts';
import { admitBudget } from './admit-budget.ts';
import { currentScope } from './agent-context.ts';
import type { BatchActivities } from '../domain/contract-batch.ts';
import { answerPrompts } from './answer-prompts.ts';
import { storedAnswers } from './answers.ts';
import { callModel } from './call-model.ts';
import { callTool } from './call-tool.ts';
import { configureRun } from './configure-run.ts';
import { createSandbox } from './create-sandbox.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { limitStorageRetries, withChanceElsewhere, withTypedFailures } from './failure.ts';
import { finishAgent } from './finish-agent.ts';
import { locateSandbox } from './locate-sandbox.ts';
import { prepareAnalysis } from './prepare-analysis.ts';
import { endMeanwhile, endOfItem, prepareBatch, readBatchItems } from './prepare-batch.ts';
import { prepareInvestigation } from './prepare.ts';
import { readAgent } from './read-agent.ts';
import { readProgress } from './read-progress.ts';
import { rebuildSandbox } from './rebuild-sandbox.ts';
import { recordBatch } from './record-batch.ts';
import { recordOutcome } from './record-outcome.ts';
import { runCode } from './run-code.ts';
import { sendNotice } from './send-notice.ts';
import { workerAbsence } from './worker-absence.ts';

/** All side effects of the workflows, with what they need handed in once. */
export function createActivities(deps: ActivityDependencies): Activities & BatchActivities {
  /** An activity of an agent, with the agent that it is for. */
  const agentActivity =
    <Input extends { readonly execution: string }, Result>(
      activity: (deps: ActivityDependencies, input: ForAgent<Input>) => Promise<Result>,
    ) =>
    async (input: Input): Promise<Result> =>
      activity(deps, { ...input, scope: await currentScope(deps, input.execution) });
  const activities: Activities & BatchActivities = {
    prepareInvestigation: withChanceElsewhere((input) => prepareInvestigation(deps, input)),
    prepareAnalysis: withChanceElsewhere((input) => prepareAnalysis(deps, input)),
    admitBudget: withChanceElsewhere((message) => admitBudget(deps, message)),
    configureRun: withChanceElsewhere((input) => configureRun(deps, input)),
    sendNotice: (input) => sendNotice(deps, input),
    workerAbsence: (input) => workerAbsence(deps, input),
    recordOutcome: (input) => recordOutcome(deps, input),
    prepareBatch: (input) => prepareBatch(deps, input),
    readBatchItems: (input) => readBatchItems(deps, input),
    endMeanwhile: (input) => endMeanwhile(deps, input),
    endOfItem: (input) => endOfItem(deps, input),
    recordBatch: (input) => recordBatch(deps, input),
    createSandbox: limitStorageRetries(agentActivity(createSandbox)),
    rebuildSandbox: agentActivity(rebuildSandbox),
    locateSandbox: agentActivity(locateSandbox),
    callModel: limitStorageRetries(agentActivity(callModel)),
    runCode: limitStorageRetries(agentActivity(runCode)),
    answerPrompts: limitStorageRetries(agentActivity(answerPrompts)),
    storeAnswers: limitStorageRetries((input) => storedAnswers(deps.chains, input.answers)),
    callTool: limitStorageRetries(agentActivity(callTool)),
    readAgent: agentActivity(readAgent),
    readProgress: (input) => readProgress(deps, input),
    finishAgent: agentActivity(finishAgent),
  };
  return withTypedFailures({ ...activities });
}
