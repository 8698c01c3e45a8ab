import {
  ApplicationFailure,
  isCancellation,
  proxySinks,
  workflowInfo,
  type ActivityInput,
  type Next,
  type Sinks,
  type StartChildWorkflowExecutionInput,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import type { AgentInput, AgentResult } from '../domain/contract.ts';
import { agentDepth, splitAgentWorkflowId } from '../domain/ids.ts';
import type { RunOutcome } from '../domain/records.ts';
import { activitySpan, agentSpan, RUN_SPAN, type TraceSpan } from '../domain/trace.ts';
import type { Usage } from '../domain/usage.ts';
import { agentFailure } from './agent-end.ts';
import { createAgentTrace, type AgentTrace, type Span } from './agent-trace.ts';

interface TraceSinks extends Sinks {
  readonly trace: { span(span: TraceSpan): void };
}

/**
 * Makes the spans of a run, its agents, iterations, calls and activities, as the workflows see them.
 *
 * They only look on: every promise is passed through as it is, so that workflow code takes the same steps in the same
 * order with and without them, and a history recorded without them can be continued with them. See
 * docs/decisions/020-traces-without-context.md.
 */
export function interceptors(): WorkflowInterceptors {
  const { workflowId, workflowType, runId, firstExecutionRunId } = workflowInfo();
  if (workflowType === 'budget') return {};
  const own = workflowType === 'agent' ? splitAgentWorkflowId(workflowId) : { run: workflowId, agent: undefined };
  const { trace } = proxySinks<TraceSinks>();
  let execution = firstExecutionRunId;
  const emit = (span: Span): void => trace.span({ run: own.run, execution, ...span });
  const agent = own.agent === undefined ? undefined : createAgentTrace(own.agent, emit);
  return {
    inbound: [
      {
        execute(input, next) {
          const start = Date.now();
          if (agent !== undefined) {
            const given = input.args[0] as AgentInput;
            execution = given.execution;
            agent.started(given.state?.iteration ?? 0);
          }
          const result = next(input);
          void result.then(
            (outcome) => (agent === undefined ? emit(runSpan(start, outcome as RunOutcome)) : agent.ended()),
            (error: unknown) => (agent === undefined ? emit(failedRun(start, error)) : agent.ended()),
          );
          return result;
        },
      },
    ],
    outbound: [{ ...activityTrace(runId, agent, emit), ...childTrace(own.run, agent, emit) }],
  };
}

function activityTrace(
  runId: string,
  agent: AgentTrace | undefined,
  emit: (span: Span) => void,
): WorkflowOutboundCallsInterceptor {
  return {
    scheduleActivity(input: ActivityInput, next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>) {
      const start = Date.now();
      const [argument] = input.args as [Readonly<Record<string, unknown>>];
      const parent = agent?.parentOf(input.activityType, argument) ?? RUN_SPAN;
      const result = next(input);
      const span = (error?: unknown): void =>
        emit({
          path: activitySpan(runId, `${input.seq}`),
          parent,
          name: input.activityType,
          start,
          end: Date.now(),
          attributes: agent === undefined ? {} : { 'rlm.agent': agent.id },
          ...(error === undefined ? {} : { error: messageOf(error) }),
        });
      void result.then(
        (value) => {
          span();
          agent?.onActivityResult(input.activityType, value);
        },
        (error: unknown) => span(error),
      );
      return result;
    },
  };
}

/** The span of an agent is its parent's to make: only that knows which call it answers. */
function childTrace(
  run: string,
  agent: AgentTrace | undefined,
  emit: (span: Span) => void,
): WorkflowOutboundCallsInterceptor {
  return {
    startChildWorkflowExecution(
      input: StartChildWorkflowExecutionInput,
      next: Next<WorkflowOutboundCallsInterceptor, 'startChildWorkflowExecution'>,
    ) {
      const result = next(input);
      if (input.workflowType !== 'agent') return result;
      const start = Date.now();
      const { agent: id } = splitAgentWorkflowId(input.options.workflowId);
      const [argument] = input.options.args as [AgentInput];
      const parent = agent?.callOf(argument.task) ?? RUN_SPAN;
      const attributes = { 'rlm.run': run, 'rlm.agent': id, 'rlm.depth': agentDepth(id) };
      const base = { path: agentSpan(id), parent, name: `agent ${id}`, start };
      const ended = ({ status, totals: { usage, agents } }: AgentResult, error?: string): void =>
        emit({
          ...base,
          end: Date.now(),
          attributes: { ...attributes, 'rlm.status': status, 'rlm.agents': agents, ...usageOf(usage) },
          ...(error === undefined ? {} : { error }),
        });
      const failed = (error: unknown): void => {
        const failure = agentFailure(error);
        if (failure.kind === 'failed') return ended(failure.result, `${failure.type}: ${failure.message}`);
        const status = failure.kind === 'unknown' ? 'failed' : failure.kind;
        return emit({
          ...base,
          end: Date.now(),
          attributes: { ...attributes, 'rlm.status': status },
          ...(status === 'cancelled' ? {} : { error: messageOf(error) }),
        });
      };
      void result.then(
        ([, completed]) => completed.then((outcome) => ended(outcome as AgentResult), failed),
        () => undefined, // Its id was taken: it is tried again.
      );
      return result;
    },
  };
}

function runSpan(start: number, outcome: RunOutcome): Span {
  const { status, agents, iterations, sandboxes, usage, error } = outcome;
  return {
    ...runBase(start),
    attributes: {
      'rlm.status': status,
      'rlm.agents': agents,
      'rlm.iterations': iterations,
      'rlm.sandboxes': sandboxes,
      ...usageOf(usage),
    },
    ...(error === null ? {} : { error }),
  };
}

function failedRun(start: number, error: unknown): Span {
  const [outcome] = (error instanceof ApplicationFailure ? (error.details ?? []) : []) as (RunOutcome | undefined)[];
  if (outcome?.status !== undefined) return runSpan(start, outcome);
  if (isCancellation(error)) return { ...runBase(start), attributes: { 'rlm.status': 'cancelled' } };
  return { ...runBase(start), attributes: { 'rlm.status': 'failed' }, error: messageOf(error) };
}

function runBase(start: number): Omit<Span, 'attributes'> {
  const { workflowId } = workflowInfo();
  return { path: RUN_SPAN, parent: null, name: `run ${workflowId}`, start, end: Date.now() };
}

function usageOf({ input_tokens, output_tokens, cost, llm_calls }: Usage): TraceSpan['attributes'] {
  return {
    'gen_ai.usage.input_tokens': input_tokens,
    'gen_ai.usage.output_tokens': output_tokens,
    'rlm.cost_usd': cost,
    'rlm.model_calls': llm_calls,
  };
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
