import {
  ScheduleNotFoundError,
  type Client,
  type ScheduleDescription,
  type ScheduleOverlapPolicy,
} from '@temporalio/client';
import { TypedError } from '../domain/failures.ts';

/** When a schedule starts its runs, and what it does when that cannot be. */
export interface ScheduleTimes {
  /** Five fields, or @daily and the like. */
  readonly cron?: readonly string[];
  /** `30m`, `6h`. */
  readonly every?: readonly string[];
  readonly timezone?: string;
  readonly jitter?: string;
  /** Default SKIP. */
  readonly overlap?: ScheduleOverlapPolicy;
  /** How late an occurrence may be, when the server was away. Default one day. */
  readonly catchup?: string;
  readonly pauseOnFailure?: boolean;
}

export interface ScheduledWork {
  readonly type: 'investigate' | 'analyze' | 'batch';
  readonly input: object;
  /** For a person. */
  readonly summary: string;
}

/** Schedules of this task queue, as Temporal's. */
export interface TemporalSchedules {
  /**
   * @returns false where there is one of this name
   * @throws TypedError `Input.Invalid` for times that Temporal does not take
   */
  create(name: string, times: ScheduleTimes, work: ScheduledWork): Promise<boolean>;
  list(): Promise<ScheduleDescription[]>;
  describe(name: string): Promise<ScheduleDescription | undefined>;
  /** What is left out stays. @returns false where there is none of this name; throws as `create` */
  update(name: string, times: ScheduleTimes, work: ScheduledWork | undefined): Promise<boolean>;
  pause(name: string, note: string | undefined): Promise<boolean>;
  resume(name: string, note: string | undefined): Promise<boolean>;
  trigger(name: string, overlap: ScheduleOverlapPolicy | undefined): Promise<boolean>;
  backfill(name: string, from: Date, to: Date, overlap: ScheduleOverlapPolicy): Promise<boolean>;
  delete(name: string): Promise<boolean>;
}

const DAY = '1 day';
const MARK = 'durable-rlm';

export function createTemporalSchedules({
  client,
  taskQueue,
}: {
  client: Client;
  taskQueue: string;
}): TemporalSchedules {
  const { schedule } = client;

  async function found(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return false;
      throw error;
    }
  }

  function action(
    name: string,
    { type, input, summary }: ScheduledWork,
  ): Parameters<typeof schedule.create>[0]['action'] {
    return {
      type: 'startWorkflow',
      workflowType: type,
      // The server adds the time of the occurrence.
      workflowId: name,
      taskQueue,
      args: [input],
      staticSummary: summary,
    };
  }

  async function describe(name: string): Promise<ScheduleDescription | undefined> {
    try {
      return await schedule.getHandle(name).describe();
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return undefined;
      throw error;
    }
  }

  return {
    describe,
    async create(name, times, work) {
      if ((await describe(name)) !== undefined) return false;
      const options = {
        scheduleId: name,
        spec: specOf(times),
        action: action(name, work),
        policies: {
          overlap: times.overlap ?? 'SKIP',
          catchupWindow: (times.catchup ?? DAY) as '1 day',
          pauseOnFailure: times.pauseOnFailure ?? false,
        },
        memo: { [MARK]: work.summary },
      } as const;
      await checked(() => schedule.create(options));
      return true;
    },
    async list() {
      const names: string[] = [];
      for await (const { scheduleId, memo } of schedule.list()) if (memo?.[MARK] !== undefined) names.push(scheduleId);
      const described = await Promise.all(names.toSorted().map(describe));
      return described.filter((each) => each !== undefined);
    },
    update: (name, times, work) =>
      found(() =>
        checked(() =>
          schedule.getHandle(name).update((before) => ({
            ...before,
            spec:
              times.cron === undefined && times.every === undefined
                ? { ...before.spec, ...zoneOf(times) }
                : { ...specOf(times), ...zoneOf({ ...before.spec, ...times }) },
            action: work === undefined ? { ...before.action, args: before.action.args ?? [] } : action(name, work),
            policies: {
              ...before.policies,
              ...(times.overlap === undefined ? {} : { overlap: times.overlap }),
              ...(times.catchup === undefined ? {} : { catchupWindow: times.catchup as '1 day' }),
              ...(times.pauseOnFailure === undefined ? {} : { pauseOnFailure: times.pauseOnFailure }),
            },
          })),
        ),
      ),
    pause: (name, note) => found(() => schedule.getHandle(name).pause(note)),
    resume: (name, note) => found(() => schedule.getHandle(name).unpause(note)),
    trigger: (name, overlap) => found(() => schedule.getHandle(name).trigger(overlap)),
    backfill: (name, start, end, overlap) => found(() => schedule.getHandle(name).backfill({ start, end, overlap })),
    delete: (name) => found(() => schedule.getHandle(name).delete()),
  };
}

/** What Temporal says of cron expressions, time zones and durations is an ordinary error of the SDK. */
async function checked<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypedError('Input.Invalid', `Temporal does not take these times: ${error.message}.`, { cause: error });
  }
}

function specOf(times: ScheduleTimes): Parameters<Client['schedule']['create']>[0]['spec'] {
  const { cron = [], every = [] } = times;
  return {
    ...(cron.length === 0 ? {} : { cronExpressions: cron.map(withComment) }),
    ...(every.length === 0 ? {} : { intervals: every.map((duration) => ({ every: duration as '1 day' })) }),
    ...zoneOf(times),
  };
}

/** Temporal keeps the times that an expression means, and its comment: that is what a person has typed. */
function withComment(cron: string): string {
  return cron.includes('#') ? cron : `${cron} # ${cron}`;
}

function zoneOf({ timezone, jitter }: { timezone?: string | undefined; jitter?: string | number | undefined }): object {
  return { ...(timezone === undefined ? {} : { timezone }), ...(jitter === undefined ? {} : { jitter }) };
}
