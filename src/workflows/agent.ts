import {
  CancellationScope,
  ContinueAsNew,
  defineQuery,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import pLimit from 'p-limit';
import type {
  AgentInput,
  AgentResult,
  CallModelInput,
  CallModelResult,
  FinishAgentResult,
} from '../domain/contract.ts';
import { agentDepth, splitAgentWorkflowId } from '../domain/ids.ts';
import { pauseMessage, resumeMessage, statusQuery, steerMessage, type AgentStatusReply } from '../domain/messages.ts';
import type { AnswerSource } from '../domain/records.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import { inSandbox, modelActivities } from './activities.ts';
import { connectToBudget } from './agent-budget.ts';
import { MAX_OPEN_ACTIVITIES } from './answer-call.ts';
import type { Agent, AgentLoopState } from './agent-parts.ts';
import { createAgentSandbox } from './agent-sandbox.ts';
import { createApprovals } from './approvals.ts';
import { continueAgentAsNew, isContinueAsNewSuggested } from './continue-as-new.ts';
import { closeAgent, failedEnding, SUB_AGENTS_END_MS, type Ending } from './agent-end.ts';
import { failureMessage, isFailure, typedFailure } from './failure.ts';
import { createIgnoredMessages, ignoreOtherSignals } from './messages.ts';
import { createPauseGate, type PauseGate } from './pause-gate.ts';
import { createPauseOnError } from './pause-on-error.ts';
import { createSteering } from './steering.ts';
import { refuseUnlessChild } from './refuse-unless-child.ts';
import { continueReply, runReply } from './run-reply.ts';
import { addTotals, createSubAgents } from './sub-agents.ts';

/** Replies without code in a row after which the text is the answer. */
const MAX_REPLIES_WITHOUT_CODE = 3;
/** How often a final answer is asked for when the one before could not be used. */
const MAX_FINAL_ANSWERS = 3;
/** A cancelled agent gets this long to clean up; then the sweep does it. */
const CANCELLED_CLEANUP_TIMEOUT = '60s';

setWorkflowOptions({ failureExceptionTypes: [Error] }, agent);
/** One agent, root or sub-agent: asks the model, runs its code, answers the code's calls, until it is done. */
export async function agent(input: AgentInput): Promise<AgentResult> {
  refuseUnlessChild();
  const self = createAgent(input);
  const ending = await loop(self).then(
    (source): Ending => ({ status: 'completed', source }),
    (error: unknown): Ending => {
      if (error instanceof ContinueAsNew) throw error;
      return failedEnding(error);
    },
  );
  const result = await CancellationScope.nonCancellable(() => finish(self, ending));
  return closeAgent(ending, result);
}

/** @returns where the answer comes from */
async function loop(self: Agent): Promise<AnswerSource> {
  const { input, state, sandbox } = self;
  const { max_iterations } = input.limits;
  if (input.state?.undelivered !== undefined && (await continueReply(self, input.state.undelivered))) return 'final';
  // What it shares is in its variables before the model is told that it continues; what differs, it is told.
  if (input.forkedAt !== undefined) await sandbox.ensure();
  while (state.iteration < max_iterations) {
    if (isContinueAsNewSuggested(self)) await continueAgentAsNew(self);
    state.iteration += 1;
    const [reply] = await Promise.all([callModel(self, 'turn'), sandbox.ensure()]);
    if (reply.kind === 'code' && (await runReply(self, reply))) return 'final';
    if (reply.kind === 'context_length') {
      return askFinalAnswer(
        self,
        `The conversation was longer than the model's context in iteration ${state.iteration}`,
      );
    }
    if (reply.kind === 'text' && reply.in_a_row >= MAX_REPLIES_WITHOUT_CODE) {
      if (!reply.empty && input.typed !== true) return 'text';
      return askFinalAnswer(self, `The model wrote no code ${MAX_REPLIES_WITHOUT_CODE} times in a row`);
    }
  }
  return askFinalAnswer(self, `The iterations were used up (rlm.max_iterations: ${max_iterations})`);
}

async function callModel(self: Agent, purpose: CallModelInput['purpose']): Promise<CallModelResult> {
  const { input, state, budget, pauseOnError, steering } = self;
  const { execution, task } = input;
  const summary = purpose === 'turn' ? `iteration ${state.iteration}: call the model` : 'ask for the final answer';
  const reply = await pauseOnError.run(() => {
    state.phase = 'thinking';
    return budget.payForCall(async () => {
      const head = state.head === undefined ? {} : { head: state.head };
      const steer = steering.pending;
      const told = steer.length === 0 ? {} : { steer };
      const { callModel: ask } = modelActivities(summary, input.queues);
      const result = await ask({ execution, task, purpose, ...head, ...told });
      steering.shown(steer);
      return { ...result, cost: 'usage' in result ? result.usage.cost : 0 };
    });
  });
  if (reply.kind !== 'context_length') {
    state.head = reply.head;
    state.usage = addUsage(state.usage, reply.usage);
  }
  return reply;
}

/** @param why - for a person: why there is no result without it */
async function askFinalAnswer(self: Agent, why: string): Promise<'final_answer'> {
  let problem: string | undefined;
  for (let attempt = 1; attempt <= MAX_FINAL_ANSWERS; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the next question depends on this answer
    const reply = await callModel(self, 'final_answer');
    if (reply.kind === 'answer') return 'final_answer';
    problem = reply.kind === 'invalid' ? reply.problem : undefined;
  }
  const told = problem === undefined ? '' : ` The model was told of the last: ${problem}`;
  const message = `${why}, and ${MAX_FINAL_ANSWERS} final answers could not be used.${told}`;
  throw typedFailure('Agent.NoAnswer', message);
}

async function finish(self: Agent, ending: Ending): Promise<AgentResult> {
  const { id, state, sandbox, subAgents, budget } = self;
  state.phase = 'closing';
  // One that is being created is waited for; its failure has been met already, or the agent is cancelled.
  await sandbox.settled();
  const [finished] = await Promise.all([
    finishAgent(self, ending),
    // They are cancelled by now, or have ended: none is left behind, and what they used counts.
    subAgents.ended(SUB_AGENTS_END_MS),
  ]);
  // A sandbox that could not be created is not counted.
  if (sandbox.current === undefined) budget.settle({ unused: { sandboxes: 1 } });
  await budget.idle();
  state.phase = 'done';
  const own = {
    usage: state.usage,
    agents: 1,
    depth: agentDepth(id),
    iterations: state.iteration - (self.input.forkedAt ?? 0),
    sandboxes: sandbox.created,
    refused: { prompts: 0, tasks: 0 },
  };
  const unseen = self.steering.pending.length;
  const notes = [
    ...(finished.notes ?? []),
    ...(unseen === 0
      ? []
      : [`The agent ended before its model had seen ${unseen === 1 ? 'a message' : `${unseen} messages`} sent to it.`]),
  ];
  return {
    status: ending.status,
    ...finished,
    ...(notes.length === 0 ? {} : { notes }),
    totals: addTotals(own, subAgents.totals),
  };
}

/** Takes the patch, records the end, removes the sandbox. */
async function finishAgent({ input, sandbox }: Agent, ending: Ending): Promise<FinishAgentResult> {
  const { execution, task } = input;
  const limit = ending.status === 'cancelled' ? { scheduleToCloseTimeout: CANCELLED_CLEANUP_TIMEOUT } : {};
  const { status, source, failure } = ending;
  const why = failure === undefined ? {} : { error: `${failure.type}: ${failure.message}` };
  const options = { summary: `finish: ${status}`, ...limit };
  const finishIn = (name?: SandboxName): Promise<FinishAgentResult> =>
    inSandbox(input, name, options, (activities) =>
      activities.finishAgent({
        execution,
        task,
        status,
        source,
        ...why,
        ...(name === undefined ? {} : { sandbox: name }),
      }),
    );
  try {
    // A sandbox that was lost is rebuilt for its patch.
    if (ending.status === 'completed' && sandbox.current !== undefined) return await sandbox.use(finishIn);
    return await finishIn(sandbox.current);
  } catch (error) {
    if (!isFailure(error, 'Sandbox.Lost')) return unrecorded(error);
    return finishIn().catch(unrecorded);
  }
}

function unrecorded(error: unknown): FinishAgentResult {
  return { notes: [`The end of the agent could not be recorded: ${failureMessage(error)}`] };
}

function createAgent(input: AgentInput): Agent {
  const { workflowId } = workflowInfo();
  const { run, agent: id } = splitAgentWorkflowId(workflowId);
  const { limits, state: before } = input;
  const state: AgentLoopState = {
    phase: 'starting',
    head: before?.head,
    iteration: before?.iteration ?? 0,
    usage: before?.usage ?? NO_USAGE,
  };
  const ignored = createIgnoredMessages();
  const budget = connectToBudget(run, limits.max_cost !== undefined, ignored);
  const steering = createSteering(before?.steer ?? [], ignored, () => status());
  const gate: PauseGate = createPauseGate({
    closed: input.paused === true,
    ignored,
    reply: () => status(),
    onChange: (cause) => subAgents.setPaused(cause !== undefined),
  });
  const subAgents = createSubAgents({
    run,
    agent: id,
    depth: agentDepth(id),
    parent: input,
    budget,
    isPaused: () => gate.closed,
  });
  const pauseOnError = createPauseOnError({ run, agent: id, onError: limits.on_error, gate });
  const status = (): AgentStatusReply => ({
    agent: id,
    state: gate.closed && state.phase !== 'done' ? 'paused' : state.phase,
    iteration: state.iteration,
    head: state.head ?? null,
    children: subAgents.working,
    unseen_messages: steering.pending.length,
    notes: ignored.notes,
  });
  setHandler(defineQuery<AgentStatusReply>(statusQuery), status, { description: 'What the agent is doing' });
  ignoreOtherSignals(ignored, [pauseMessage, resumeMessage, steerMessage]);
  return {
    id,
    input,
    state,
    budget,
    subAgents,
    gate,
    pauseOnError,
    sandbox: createAgentSandbox(input, { budget, pauseOnError }),
    steering,
    askingModels: pLimit(MAX_OPEN_ACTIVITIES),
    approvals: createApprovals({ run, agent: id, steps: limits.approve ?? [], ignored }),
  };
}
