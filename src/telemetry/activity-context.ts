import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context } from '@temporalio/activity';
import { splitAgentWorkflowId } from '../domain/ids.ts';
import { attemptSpan } from '../domain/trace.ts';

/** The activity that the current code runs in, with its run and agent. */
export interface ActivityContext {
  readonly run: string;
  /** First execution id of the run. */
  readonly execution: string;
  /** Empty for the activities of the run itself. */
  readonly agent: string;
  readonly activity: string;
  readonly attempt: number;
  /** Path of the attempt's span. */
  readonly span: string;
  /** Called when it has ended. */
  readonly whenEnded: (() => void)[];
}

const places = new AsyncLocalStorage<ActivityContext>();

/** Undefined outside of activities. */
export function currentActivityContext(): ActivityContext | undefined {
  return places.getStore();
}

/** Calls `work` when the current activity ends. @returns false outside of activities, where nothing is called */
export function onActivityEnd(work: () => void): boolean {
  const activity = currentActivityContext();
  activity?.whenEnded.push(work);
  return activity !== undefined;
}

export function activityContextOf({ info }: Context, args: readonly unknown[]): ActivityContext {
  const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
  const [input] = args as readonly [{ readonly execution?: string } | undefined];
  const ofAgent = workflowId.includes('/');
  return {
    ...(ofAgent ? splitAgentWorkflowId(workflowId) : { run: workflowId, agent: '' }),
    execution: input?.execution ?? runId,
    activity: info.activityType,
    attempt: info.attempt,
    span: attemptSpan(runId, info.activityId, info.attempt),
    whenEnded: [],
  };
}

export async function within<T>(place: ActivityContext, work: () => Promise<T>): Promise<T> {
  try {
    return await places.run(place, work);
  } finally {
    for (const ended of place.whenEnded) ended();
  }
}
