import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../domain/error-message.ts';
import { nextStep, pauseOf, pauseReason, unansweredReason, type Pause } from '../client/report-run.ts';
import type { PendingFailure } from '../client/pending-failure.ts';
import type { RunEnd, TemporalRuns } from '../client/temporal-runs.ts';
import type { RunState } from '../domain/messages.ts';
import type { ChainRecord } from '../domain/records.ts';
import type { ResultsWriter } from '../results/results-files.ts';
import type { RunReader } from '../results/run-reader.ts';
import { parentAgent } from '../domain/ids.ts';
import { currentSnapshot, type RunSnapshot } from '../results/run-snapshot.ts';
import { reasonWithNext } from './summary-lines.ts';
import type { Interrupt, Interrupts } from './interrupts.ts';
import type { Display } from './live/display.ts';
import type { Transcript } from './live/transcript.ts';

export interface FollowInput {
  readonly runs: TemporalRuns;
  readonly reader: RunReader;
  readonly run: string;
  /** Of its workflow. */
  readonly runId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly display: Display;
  /** Brought up to date as the run goes. */
  readonly results?: ResultsWriter;
  /** Told what the root agent does. */
  readonly transcript?: Transcript;
  readonly interrupts: Interrupts;
  /** A run that pauses ends the following. */
  readonly endOnPause: boolean;
  /** The worker in this process, without which nothing may go on. */
  readonly worker?: { readonly running: Promise<void> };
  /** What Ctrl-C is told to do. */
  readonly interruptible: 'detach-or-cancel' | 'leave';
}

export type Followed =
  | { readonly kind: 'ended'; readonly end: RunEnd }
  | { readonly kind: 'paused'; readonly pause: Pause }
  | { readonly kind: 'detached' }
  | { readonly kind: 'worker-failed'; readonly error: unknown };

/** Milliseconds between looks at the references; at least as many times as long as a look takes. */
const LOOK_INTERVAL_MS = { min: 250, times: 4 };
/** The same for writing results, which grow with the run. */
const WRITE_INTERVAL_MS = { min: 2000, times: 20 };
/** Milliseconds between questions to the run itself, in which it answers, and unanswered ones that mean that no worker is there. */
const ASK_INTERVAL_MS = 1000;
const ANSWER_TIMEOUT_MS = 2000;
const MAX_UNANSWERED = 3;
/** Milliseconds between inquiries into what is stuck, for which an agent must have stood still; and agents asked after. */
const STALLED_AFTER_MS = 3000;
const MAX_STALLED_AGENTS = 5;
/** Milliseconds that agents get to end in after their run. */
const CLEANUP_TIMEOUT_MS = 5000;
/** Milliseconds in which a second Ctrl-C cancels. */
const SECOND_INTERRUPT_MS = 2000;

type Event = Followed | { readonly kind: 'interrupted'; readonly signal: Interrupt } | { readonly kind: 'looked' };

/** Shows how a run goes until it ends, pauses, or the person leaves. */
export async function followRun(input: FollowInput): Promise<Followed> {
  const { display, runs, worker } = input;
  const stop = new AbortController();
  const events = createQueue<Event>();
  const watcher = createWatcher(input);
  const interruptHandler = createInterruptHandler(input);
  const onOutage = logOnce(display, 'Temporal does not answer; waiting for it.');
  const end = runs.end(input.run, { runId: input.runId, signal: stop.signal, onOutage });
  end.then((how) => events.push({ kind: 'ended', end: how }), events.fail);
  worker?.running.catch((error: unknown) => events.push({ kind: 'worker-failed', error }));
  void repeat(stop.signal, async () => events.push({ kind: 'interrupted', signal: await input.interrupts.next() }));
  void repeat(stop.signal, () => watcher.ask(stop.signal));
  void repeat(stop.signal, () => watcher.checkStalled(stop.signal));
  const looking = repeat(stop.signal, async () => {
    await watcher.look(stop.signal);
    events.push({ kind: 'looked' });
  });
  try {
    for (;;) {
      const event = await events.next();
      if (event.kind === 'interrupted') {
        if ((await interruptHandler.handle(event.signal)) === 'leave') return { kind: 'detached' };
      } else if (event.kind !== 'looked') {
        if (event.kind === 'ended' && worker !== undefined) await untilCleanedUp(input);
        return event;
      }
      if (interruptHandler.shouldDetach()) return { kind: 'detached' };
      const state = watcher.state();
      const pause = state?.status === 'paused' ? pauseOf(state) : undefined;
      if (input.endOnPause && pause !== undefined) return { kind: 'paused', pause };
    }
  } finally {
    stop.abort();
    await looking;
    await watcher.finish();
  }
}

/** Agents of a run that was ended early remove their sandboxes after it: without this process nobody would. */
async function untilCleanedUp({ runs, run }: FollowInput): Promise<void> {
  const deadline = Date.now() + CLEANUP_TIMEOUT_MS;
  while (Date.now() < deadline && (await runs.countOpenAgents(run).catch(() => 0)) > 0) await delay(100);
}

async function repeat(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) await act();
}

interface Queue<T> {
  push(item: T): void;
  /** Makes `next` reject once all that was pushed before is taken. */
  fail(this: void, error: unknown): void;
  next(): Promise<T>;
}

function createQueue<T>(): Queue<T> {
  const items: (() => T)[] = [];
  let wake: (() => void) | undefined;
  const add = (item: () => T): void => {
    items.push(item);
    wake?.();
  };
  return {
    push: (item) => add(() => item),
    fail: (error) =>
      add(() => {
        throw error;
      }),
    async next() {
      while (items.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const take = items.shift();
      if (take === undefined) throw new Error('a queue that was woken is not empty');
      return take();
    },
  };
}

interface Watcher {
  state(): RunState | undefined;
  /** Resolves after the next look at the references. */
  look(signal: AbortSignal): Promise<void>;
  /** Asks the run how it stands: only a worker knows that it is paused, and why. */
  ask(signal: AbortSignal): Promise<void>;
  /** Looks for what is tried in vain: without it a run that cannot reach its model would seem to think for hours. */
  checkStalled(signal: AbortSignal): Promise<void>;
  /** A last look, and the results as they are now. */
  finish(): Promise<void>;
}

function createWatcher(input: FollowInput): Watcher {
  const { runs, run, reader, display, results, transcript, worker, endOnPause } = input;
  const logErrors = createErrorLog(display);
  let snapshot: RunSnapshot | undefined;
  let state: RunState | undefined;
  let unanswered = 0;
  let pendingFailure: PendingFailure | null = null;
  const stallDetector = createStallDetector();
  let nextLook = 0;
  let nextWrite = 0;

  function show(): void {
    const outcome = snapshot?.run.outcome;
    const suspended = worker === undefined && unanswered >= MAX_UNANSWERED && outcome === undefined;
    const pause = state === undefined ? undefined : pauseOf(state);
    // Where a pause ends the command, what to do about it is said at its end.
    const paused =
      pause === undefined || endOnPause
        ? pause?.reason
        : reasonWithNext(pauseReason(run, pause), state === undefined ? null : nextStep(run, state));
    display.update({
      snapshot,
      pendingFailure: outcome === undefined ? pendingFailure : null,
      status: outcome?.status ?? (suspended ? 'suspended' : (state?.status ?? 'starting')),
      reason: suspended
        ? unansweredReason(run, { isStored: snapshot !== undefined })
        : (outcome?.error ?? paused ?? null),
    });
  }

  async function lookOnce(): Promise<void> {
    await logErrors('The progress cannot be read', async () => {
      const recorded = await reader.snapshot();
      // How a run had ended that is retried is not how it ends.
      snapshot = recorded === undefined ? snapshot : currentSnapshot(recorded, input.startedAt);
      if (snapshot !== undefined) stallDetector.note(snapshot);
      if (snapshot !== undefined && transcript !== undefined) transcript.tell(await rootRecords(reader, snapshot));
    });
    show();
  }

  async function write(): Promise<void> {
    const current = snapshot;
    if (results === undefined || current === undefined) return;
    await logErrors(`The results cannot be written to ${results.file}`, () => results.write(current));
  }

  return {
    state: () => state,
    async look(signal) {
      await wait(nextLook - Date.now(), signal);
      const begun = Date.now();
      await lookOnce();
      nextLook = Date.now() + Math.max(LOOK_INTERVAL_MS.min, LOOK_INTERVAL_MS.times * (Date.now() - begun));
      if (Date.now() < nextWrite) return;
      const beforeWriting = Date.now();
      await write();
      nextWrite = Date.now() + Math.max(WRITE_INTERVAL_MS.min, WRITE_INTERVAL_MS.times * (Date.now() - beforeWriting));
    },
    async ask(signal) {
      const answer = await runs.state(run, ANSWER_TIMEOUT_MS);
      state = answer ?? state;
      unanswered = answer === undefined ? unanswered + 1 : 0;
      await wait(ASK_INTERVAL_MS, signal);
    },
    async checkStalled(signal) {
      await wait(STALLED_AFTER_MS, signal);
      if (signal.aborted) return;
      const stuck = stallDetector.agents(Date.now()).slice(0, MAX_STALLED_AGENTS);
      const isStalled = snapshot === undefined || stuck.length > 0;
      const [first = null] = isStalled ? await runs.pendingFailures(run, stuck).catch(() => []) : [];
      pendingFailure = first;
    },
    async finish() {
      await lookOnce();
      await write();
      display.close();
    },
  };
}

async function rootRecords(reader: RunReader, { run, agents }: RunSnapshot): Promise<readonly ChainRecord[]> {
  const [root] = await reader.trajectories({ run, agents: agents.filter(({ depth }) => depth === 0) });
  return root?.records ?? [];
}

/** Agents whose reference has stood still for a while, although they do not wait for sub-agents. */
function createStallDetector(): { note(snapshot: RunSnapshot): void; agents(now: number): string[] } {
  const seen = new Map<string, { head: string; since: number; idle: boolean }>();
  return {
    note({ agents }) {
      const parents = new Set(agents.filter(({ state }) => state !== 'done').map(({ agent }) => parentAgent(agent)));
      for (const { agent, head, state } of agents) {
        const idle = state === 'done' || parents.has(agent);
        const before = seen.get(agent);
        // A repeated attempt touches the reference, but not its head.
        if (before?.head !== head || before.idle !== idle) seen.set(agent, { head, since: Date.now(), idle });
      }
    },
    agents: (now) =>
      [...seen].filter(([, { since, idle }]) => !idle && now - since > STALLED_AFTER_MS).map(([agent]) => agent),
  };
}

async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, milliseconds), undefined, { signal }).catch(() => undefined);
}

interface InterruptHandler {
  handle(signal: Interrupt): Promise<'leave' | 'stay'>;
  /** The first Ctrl-C was not followed by a second. */
  shouldDetach(): boolean;
}

/** Ctrl-C once leaves the run to itself, twice cancels it, three times leaves a cancelled run to itself. */
function createInterruptHandler({ runs, run, display, interruptible }: FollowInput): InterruptHandler {
  let leaveAt: number | undefined;
  let cancelled = false;
  return {
    async handle(signal) {
      if (signal !== 'SIGINT' || interruptible === 'leave' || cancelled) return 'leave';
      if (leaveAt === undefined) {
        leaveAt = Date.now() + SECOND_INTERRUPT_MS;
        display.note('Detaching from the run. Press Ctrl-C again now to cancel it.');
        return 'stay';
      }
      cancelled = true;
      leaveAt = undefined;
      display.note('Cancelling the run; what it has so far is kept.');
      await runs.cancel(run);
      return 'stay';
    },
    shouldDetach: () => leaveAt !== undefined && Date.now() >= leaveAt,
  };
}

/** What goes wrong with showing must not end the run: it is said once. */
function createErrorLog(display: Display): (what: string, work: () => Promise<void>) => Promise<void> {
  const said = new Set<string>();
  return async (what, work) => {
    try {
      await work();
    } catch (error) {
      if (!said.has(what)) display.note(`${what}: ${errorMessage(error)}`);
      said.add(what);
    }
  };
}

function logOnce(display: Display, line: string): () => void {
  let said = false;
  return () => {
    if (!said) display.note(line);
    said = true;
  };
}
