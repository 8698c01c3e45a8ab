import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributeUpdatePair } from '@temporalio/common';
import {
  ActivityCancellationType,
  condition,
  isCancellation,
  setCurrentDetails,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { runLimits, type RunLimits } from '../domain/budget.ts';
import type { PreparedRun } from '../domain/contract.ts';
import { reasonNow, type Question, type RunProgress, type RunState } from '../domain/messages.ts';
import type { RunOutcome } from '../domain/records.ts';
import { runActivities } from './activities.ts';
import { failureMessage, failureType } from './failure.ts';
import type { IgnoredMessages } from './messages.ts';
import type { PauseCause } from './pause-gate.ts';

/** Milliseconds between looks at what the agents have done: they grow, because each is some events of the run's history. */
const FIRST_LOOK_MS = 10_000;
const MAX_LOOK_MS = 10 * 60_000;
const LOOK_GROWTH = 1.5;

const STATUS = defineSearchAttributeKey('RlmStatus', SearchAttributeType.KEYWORD);
const REPOSITORY = defineSearchAttributeKey('RlmRepository', SearchAttributeType.KEYWORD);
const COMMIT = defineSearchAttributeKey('RlmCommit', SearchAttributeType.KEYWORD);
const PROMPT = defineSearchAttributeKey('RlmPrompt', SearchAttributeType.TEXT);
const COST = defineSearchAttributeKey('RlmCost', SearchAttributeType.DOUBLE);

/** How a run stands, for everyone who asks Temporal: query, current details, memo and search attributes. */
export interface RunStatusKeeper {
  readonly read: () => RunState;
  readonly limits: RunLimits | null;
  begin(prepared: PreparedRun): void;
  /** It cannot begin yet. @param reason - a phrase for a person */
  readonly setWaiting: (reason: string) => void;
  /** @param cause - undefined: resumed */
  setPaused(cause: PauseCause | undefined): void;
  setLimits(changes: Partial<RunLimits>): void;
  /** To be called when what is asked has changed. */
  refresh(): void;
  /** Looks at what the agents have done from time to time, until it is cancelled. */
  watch(paused: () => boolean): Promise<never>;
  finish(): void;
  /** The run fails, or is cancelled, before it has begun. */
  fail(error: unknown): void;
  /** @param failure - its type, where the run fails */
  end(outcome: RunOutcome, failure: string | undefined): void;
}

export function createRunStatus(input: {
  readonly execution: string;
  readonly ignored: IgnoredMessages;
  /** Of the deadline. */
  readonly remaining: () => number;
  /** What a person is asked. */
  readonly questions: () => readonly Question[];
}): RunStatusKeeper {
  const { execution, ignored } = input;
  let status: RunState['status'] = 'starting';
  let cause: PauseCause | undefined;
  let limits: RunLimits | null = null;
  let progress: RunProgress | null = null;
  let prepared: PreparedRun | undefined;
  let answer: string | null = null;
  /** What it waits for before it begins. */
  let waitingFor: string | null = null;
  let end: Pick<RunState, 'reason' | 'failure'> | undefined;
  let maxCostAtPause: number | undefined;

  const raisedTo = (): number | null => {
    const maxCost = limits?.max_cost;
    const isRaised = maxCost !== undefined && maxCostAtPause !== undefined && maxCost > maxCostAtPause;
    return cause?.failure === 'Budget.Exhausted' && isRaised ? maxCost : null;
  };
  const currentReason = (): string | null => {
    if (cause === undefined) return waitingFor ?? askedReason(input.questions());
    return cause.agent === undefined ? cause.reason : `agent ${cause.agent}: ${cause.reason}`;
  };
  const read = (): RunState => ({
    status,
    ...(end ?? { reason: currentReason(), failure: cause?.failure ?? null }),
    raised_to: raisedTo(),
    questions: input.questions(),
    remaining_ms: input.remaining(),
    ends_at:
      status === 'running' && input.questions().length === 0
        ? new Date(Date.now() + input.remaining()).toISOString()
        : null,
    execution,
    limits,
    progress,
    notes: ignored.notes,
  });

  function show(): void {
    setCurrentDetails(currentDetails(read(), prepared?.summary, answer));
  }

  function changeStatus(next: RunState['status'], others: readonly SearchAttributeUpdatePair[] = []): void {
    status = next;
    if (prepared !== undefined && prepared.search_attributes !== 'none') {
      upsertSearchAttributes([{ key: STATUS, value: status }, ...others]);
    }
    show();
  }

  return {
    read,
    get limits() {
      return limits;
    },
    setWaiting(reason) {
      waitingFor = reason;
      show();
    },
    begin(run) {
      prepared = run;
      waitingFor = null;
      limits = runLimits(run.limits);
      upsertMemo({ ...run.memo });
      changeStatus(
        status === 'starting' ? 'running' : status,
        run.search_attributes === 'all' ? textsToSearch(run.memo) : [],
      );
    },
    refresh: show,
    setPaused(why) {
      cause = why;
      maxCostAtPause = limits?.max_cost;
      if (why !== undefined && (status === 'starting' || status === 'running')) changeStatus('paused');
      else if (why === undefined && status === 'paused') changeStatus(prepared === undefined ? 'starting' : 'running');
      else show();
    },
    setLimits(changes) {
      if (limits !== null) limits = { ...limits, ...changes };
      show();
    },
    async watch(paused) {
      for (let pause = FIRST_LOOK_MS; ; pause = Math.min(MAX_LOOK_MS, pause * LOOK_GROWTH)) {
        // oxlint-disable-next-line no-await-in-loop -- one look after another
        await sleep(pause);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await condition(() => !paused());
        const { readProgress } = runActivities({
          summary: 'look at what the agents have done',
          cancellationType: ActivityCancellationType.TRY_CANCEL,
        });
        // oxlint-disable-next-line no-await-in-loop -- as above
        progress = await readProgress({ execution });
        show();
      }
    },
    finish() {
      cause = undefined;
      status = 'finishing';
      show();
    },
    fail(error) {
      const isCancelled = isCancellation(error);
      status = isCancelled ? 'cancelled' : 'failed';
      end = isCancelled
        ? { reason: null, failure: null }
        : { reason: failureMessage(error), failure: failureType(error) ?? null };
      show(); // Not known yet: whether the namespace has the search attributes.
    },
    end(outcome, failure) {
      const { usage, agents, iterations, sandboxes } = outcome;
      answer = outcome.answer ?? outcome.error;
      end = { reason: outcome.error, failure: failure ?? null };
      progress = { at: new Date(Date.now()).toISOString(), agents, working: 0, iterations, ...usage, waiting_for: [] };
      upsertMemo({ status: outcome.status, cost: usage.cost, agents, iterations, sandboxes });
      changeStatus(outcome.status, [{ key: COST, value: usage.cost }]);
    },
  };
}

function textsToSearch({ repository, commit, prompt }: PreparedRun['memo']): SearchAttributeUpdatePair[] {
  return [
    ...(repository === undefined ? [] : [{ key: REPOSITORY, value: repository }]),
    ...(commit === undefined ? [] : [{ key: COMMIT, value: commit }]),
    { key: PROMPT, value: prompt },
  ];
}

/** A line for a person while something is asked. */
function askedReason([first, ...others]: readonly Question[]): string | null {
  if (first === undefined) return null;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `waiting for approval of ${first.id}: ${first.text}${more}`;
}

/** Markdown, for Temporal's UI and `temporal workflow metadata`. */
function currentDetails(state: RunState, summary: string | undefined, answer: string | null): string {
  const { status, progress, notes } = state;
  const reason = reasonNow(state);
  const done =
    progress === null
      ? []
      : [
          `${progress.agents} ${progress.agents === 1 ? 'agent' : 'agents'} (${progress.working} at work), ${progress.iterations} iterations, ` +
            `${progress.llm_calls} model calls, ${progress.input_tokens} + ${progress.output_tokens} tokens, ` +
            `$${progress.cost.toFixed(4)} (at ${progress.at})`,
          ...progress.waiting_for.map((what) => `- waits: ${what}`),
        ];
  return [
    ...(summary === undefined ? [] : [summary, '']),
    `**${status}**${reason === null ? '' : `: ${reason}`}`,
    ...done,
    ...(answer === null ? [] : ['', answer]),
    ...notes.map((note) => `- note: ${note}`),
  ].join('\n');
}
