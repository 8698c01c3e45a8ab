import type { ChainRecord } from '../domain/records.ts';
import { blockSpan, iterationSpan, type TraceSpan } from '../domain/trace.ts';
import type { WorkerEvent } from './events.ts';
import { currentActivityContext, type ActivityContext } from './activity-context.ts';

type Record = (span: TraceSpan) => void;

/** The attempt of an activity, below the activity as its workflow sees it. */
export function attemptTrace(place: ActivityContext, start: number, failure?: Error): TraceSpan {
  const { run, execution, agent, activity, attempt, span } = place;
  return {
    run,
    execution,
    path: span,
    parent: span.slice(0, span.lastIndexOf('/')),
    name: `${activity} attempt ${attempt}`,
    start,
    end: Date.now(),
    attributes: {
      ...(agent === '' ? {} : { 'rlm.agent': agent }),
      'temporal.activity': activity,
      'rlm.attempt': attempt,
    },
    ...(failure === undefined ? {} : { error: failure.message }),
  };
}

/** Replies and blocks stand below their iteration, whichever activity they were recorded in. */
export function traceRecord(record: ChainRecord, place: ActivityContext, emit: Record): void {
  const { run, execution, agent } = place;
  const end = Date.now();
  if (record.kind === 'reply') {
    const { iteration, purpose, model, usage, execution_time, finish_reason } = record;
    const start = end - execution_time * 1000;
    const name = `chat ${model}`;
    const parent = purpose === 'turn' ? iterationSpan(agent, iteration) : place.span;
    const path = `agent/${agent}/reply/${purpose}/${iteration}`;
    const attributes = {
      ...modelAttributes({ model, usage }),
      'rlm.agent': agent,
      'rlm.iteration': iteration,
      'gen_ai.response.finish_reasons': finish_reason,
    };
    emit({ run, execution, path, parent, name, start, end, attributes });
  }
  if (record.kind === 'block') {
    const { iteration, block, result } = record;
    const start = end - result.execution_time * 1000;
    emit({
      run,
      execution,
      start,
      end,
      path: blockSpan(agent, block),
      parent: iterationSpan(agent, iteration),
      name: `block ${block}`,
      attributes: { 'rlm.agent': agent, 'rlm.block': block, 'rlm.block.status': result.status },
      ...(result.error === null ? {} : { error: result.error.trimEnd().split('\n').at(-1) ?? result.status }),
    });
  }
}

/** Model calls that leave no reply of an agent (failed ones, prompts of `llm_query`), and sandboxes that are made. */
export function traceEvent(event: WorkerEvent, emit: Record, count: () => number): void {
  const place = currentActivityContext();
  if (place === undefined) return;
  const { run, execution, span: parent } = place;
  const below = { run, execution, parent, end: Date.now() };
  if (event.kind === 'model call' && (event.outcome !== 'answered' || event.purpose === 'llm_query')) {
    emit({
      ...below,
      path: `${parent}/chat/${count()}`,
      name: `chat ${event.model}`,
      start: below.end - event.seconds * 1000,
      attributes: { ...modelAttributes(event), 'rlm.agent': event.agent, 'rlm.outcome': event.outcome },
      ...(event.error === undefined ? {} : { error: event.error }),
    });
  }
  if (event.kind === 'sandbox created') {
    emit({
      ...below,
      path: `${parent}/sandbox/${event.sandbox}`,
      name: 'create sandbox',
      start: below.end - event.seconds * 1000,
      attributes: { 'rlm.agent': event.agent, 'rlm.sandbox': event.sandbox, 'rlm.sandbox.provider': event.provider },
    });
  }
}

function modelAttributes({ model, usage }: Pick<Extract<WorkerEvent, { kind: 'model call' }>, 'model' | 'usage'>) {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': model,
    ...(usage === undefined
      ? {}
      : {
          'gen_ai.usage.input_tokens': usage.input_tokens,
          'gen_ai.usage.output_tokens': usage.output_tokens,
          'rlm.cost_usd': usage.cost,
        }),
  };
}
