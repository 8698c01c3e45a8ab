import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { Sinks } from '@temporalio/workflow';
import type { RunOutcome } from '../domain/records.ts';
import type { TraceSpan } from '../domain/trace.ts';
import type { ChatModels } from '../llm/chat-model.ts';
import type { SandboxProvider } from '../sandbox/provider.ts';
import type { SweepResult } from '../sandbox/sweep.ts';
import type { Chains } from '../storage/chain.ts';
import type { Listener } from './events.ts';
import { observeChains } from './observe-chains.ts';
import { observeModels } from './observe-models.ts';
import { observeSandboxes } from './observe-sandboxes.ts';
import { attemptTrace, traceEvent, traceRecord } from './observe-traces.ts';
import { createDedupe } from './dedupe.ts';
import { activityContextOf, within } from './activity-context.ts';
import type { Traces } from './traces.ts';

interface WorkflowTraceSinks extends Sinks {
  trace: { span(span: TraceSpan): void };
}

/** Observes a worker by wrapping the dependencies of its activities. */
export interface Telemetry {
  chains(chains: Chains): Chains;
  models(models: ChatModels): ChatModels;
  sandboxes(provider: SandboxProvider): SandboxProvider;
  swept(provider: string, result: SweepResult): void;
  readonly activityInterceptor: ActivityInterceptorsFactory;
  /** Present where runs are traced: workflows need the interceptors of `workflows/trace-interceptors.ts` then. */
  readonly sinks: InjectedSinks<WorkflowTraceSinks> | undefined;
}

export interface TelemetryOptions {
  readonly listeners: readonly Listener[];
  readonly traces?: Traces | undefined;
}

export function createTelemetry({ listeners, traces }: TelemetryOptions): Telemetry {
  let spans = 0;
  const record = (span: TraceSpan): void => traces?.record(span);
  const tell: Listener = (event) => {
    for (const listen of listeners) listen(event);
    if (traces !== undefined) traceEvent(event, record, () => (spans += 1));
  };
  const isNewOutcome = createDedupe(1000);

  function runEnded(outcome: RunOutcome, execution: string): void {
    const { run_id: run, status, execution_time: seconds, agents, usage } = outcome;
    if (isNewOutcome(`${run}@${execution}`)) tell({ kind: 'run ended', run, status, seconds, agents, usage });
  }

  return {
    chains: (chains) =>
      observeChains(chains, {
        tell,
        ...(traces === undefined ? {} : { onRecord: (entry, place) => traceRecord(entry, place, record) }),
      }),
    models: (models) => observeModels(models, tell),
    sandboxes: (provider) => observeSandboxes(provider, tell),
    swept: (provider, { removed }) => tell({ kind: 'sweep', provider, removed }),
    activityInterceptor: (context) => ({
      inbound: {
        async execute(input, next) {
          const place = activityContextOf(context, input.args);
          const start = Date.now();
          try {
            const result = await within(place, () => next(input));
            if (place.activity === 'recordOutcome') runEnded(result as RunOutcome, place.execution);
            record(attemptTrace(place, start));
            return result;
          } catch (error) {
            record(attemptTrace(place, start, error instanceof Error ? error : new Error(String(error))));
            throw error;
          }
        },
      },
    }),
    sinks:
      traces === undefined
        ? undefined
        : { trace: { span: { fn: (_info, span) => record(span), callDuringReplay: false } } },
  };
}
