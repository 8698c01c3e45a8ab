import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../domain/error-message.ts';
import { pauseReason, unansweredReason } from '../client/report-run.ts';
import type { RunEnd, TemporalRuns, Trouble } from '../client/temporal-runs.ts';
import type { RunState } from '../domain/messages.ts';
import type { ChainRecord } from '../domain/records.ts';
import type { ResultsWriter } from '../results/results-files.ts';
import type { RunReader } from '../results/run-reader.ts';
import { parentAgent } from '../domain/ids.ts';
import type { RunSnapshot } from '../results/run-snapshot.ts';
import type { Interrupt, Interrupts } from './interrupts.ts';
import type { Display } from './live/display.ts';
import type { Transcript } from './live/transcript.ts';

export interface FollowInput {
  readonly runs: TemporalRuns;
  readonly reader: RunReader;
  readonly run: string;
  readonly execution: string;
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
  | { readonly kind: 'paused'; readonly reason: string }
  | { readonly kind: 'detached' }
  | { readonly kind: 'worker-failed'; readonly error: unknown };

/** Milliseconds between looks at the references; at least as many times as long as a look takes. */
const LOOK = { least: 250, times: 4 };
/** The same for writing results, which grow with the run. */
const WRITE = { least: 2000, times: 20 };
/** Milliseconds between questions to the run itself, in which it answers, and unanswered ones that mean that no worker is there. */
const ASK = 1000;
const ANSWER = 2000;
const UNANSWERED = 3;
/** Milliseconds between inquiries into what is stuck, for which an agent must have stood still; and agents asked after. */
const INQUIRE = 3000;
const MOST_STUCK = 5;
/** Milliseconds that agents get to end in after their run. */
const CLEAN_UP = 5000;
/** Milliseconds in which a second Ctrl-C cancels. */
const SECOND_CHANCE = 2000;

type Event = Followed | { readonly kind: 'interrupted'; readonly signal: Interrupt } | { readonly kind: 'looked' };

/** Shows how a run goes until it ends, pauses, or the person leaves. */
export async function followRun(input: FollowInput): Promise<Followed> {
  const { display, runs, worker } = input;
  const stop = new AbortController();
  const events = createQueue<Event>();
  const watcher = createWatcher(input);
  const presses = createPresses(input);
  const onOutage = onceNote(display, 'Temporal does not answer; waiting for it.');
  const end = runs.end(input.run, { execution: input.execution, signal: stop.signal, onOutage });
  end.then((how) => events.push({ kind: 'ended', end: how }), events.fail);
  worker?.running.catch((error: unknown) => events.push({ kind: 'worker-failed', error }));
  void repeat(stop.signal, async () => events.push({ kind: 'interrupted', signal: await input.interrupts.next() }));
  void repeat(stop.signal, () => watcher.ask(stop.signal));
  void repeat(stop.signal, () => watcher.inquire(stop.signal));
  const looking = repeat(stop.signal, async () => {
    await watcher.look(stop.signal);
    events.push({ kind: 'looked' });
  });
  try {
    for (;;) {
      const event = await events.next();
      if (event.kind === 'interrupted') {
        if ((await presses.handle(event.signal)) === 'leave') return { kind: 'detached' };
      } else if (event.kind !== 'looked') {
        if (event.kind === 'ended' && worker !== undefined) await untilCleanedUp(input);
        return event;
      }
      if (presses.timeIsUp()) return { kind: 'detached' };
      const state = watcher.state();
      if (input.endOnPause && state?.status === 'paused') {
        return { kind: 'paused', reason: state.reason ?? 'paused by a person' };
      }
    }
  } finally {
    stop.abort();
    await looking;
    await watcher.finish();
  }
}

/** Agents of a run that was ended early remove their sandboxes after it: without this process nobody would. */
async function untilCleanedUp({ runs, run }: FollowInput): Promise<void> {
  const deadline = Date.now() + CLEAN_UP;
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
  inquire(signal: AbortSignal): Promise<void>;
  /** A last look, and the results as they are now. */
  finish(): Promise<void>;
}

function createWatcher({ runs, run, reader, display, results, transcript, worker }: FollowInput): Watcher {
  const complain = createComplaints(display);
  let snapshot: RunSnapshot | undefined;
  let state: RunState | undefined;
  let unanswered = 0;
  let trouble: string | null = null;
  const standstill = createStandstill();
  let nextLook = 0;
  let nextWrite = 0;

  function show(): void {
    const outcome = snapshot?.run.outcome;
    const asleep = worker === undefined && unanswered >= UNANSWERED && outcome === undefined;
    const paused = state?.reason && pauseReason(run, state.reason);
    display.update({
      snapshot,
      trouble: outcome === undefined ? trouble : null,
      status: outcome?.status ?? (asleep ? 'asleep' : (state?.status ?? 'starting')),
      reason: asleep ? unansweredReason(run, snapshot) : (outcome?.error ?? paused ?? null),
    });
  }

  async function lookOnce(): Promise<void> {
    await complain('The progress cannot be read', async () => {
      snapshot = (await reader.snapshot()) ?? snapshot;
      if (snapshot !== undefined) standstill.note(snapshot);
      if (snapshot !== undefined && transcript !== undefined) transcript.tell(await rootRecords(reader, snapshot));
    });
    show();
  }

  async function write(): Promise<void> {
    const current = snapshot;
    if (results === undefined || current === undefined) return;
    await complain(`The results cannot be written to ${results.file}`, () => results.write(current));
  }

  return {
    state: () => state,
    async look(signal) {
      await pause(nextLook - Date.now(), signal);
      const begun = Date.now();
      await lookOnce();
      nextLook = Date.now() + Math.max(LOOK.least, LOOK.times * (Date.now() - begun));
      if (Date.now() < nextWrite) return;
      const beforeWriting = Date.now();
      await write();
      nextWrite = Date.now() + Math.max(WRITE.least, WRITE.times * (Date.now() - beforeWriting));
    },
    async ask(signal) {
      const answer = await runs.state(run, ANSWER);
      state = answer ?? state;
      unanswered = answer === undefined ? unanswered + 1 : 0;
      await pause(ASK, signal);
    },
    async inquire(signal) {
      await pause(INQUIRE, signal);
      if (signal.aborted) return;
      const stuck = standstill.agents(Date.now()).slice(0, MOST_STUCK);
      const [first] = snapshot === undefined || stuck.length > 0 ? await runs.troubles(run, stuck).catch(() => []) : [];
      trouble = first === undefined ? null : troubleLine(first);
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
function createStandstill(): { note(snapshot: RunSnapshot): void; agents(now: number): string[] } {
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
    agents: (now) => [...seen].filter(([, { since, idle }]) => !idle && now - since > INQUIRE).map(([agent]) => agent),
  };
}

function troubleLine({ agent, attempt, message }: Trouble): string {
  const who = agent === undefined ? '' : `agent ${agent}: `;
  return `${who}${message} (failed ${attempt === 2 ? 'once' : `${attempt - 1} times`}, trying again)`;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, milliseconds), undefined, { signal }).catch(() => undefined);
}

interface Presses {
  handle(signal: Interrupt): Promise<'leave' | 'stay'>;
  /** The first Ctrl-C was not followed by a second. */
  timeIsUp(): boolean;
}

/** Ctrl-C once leaves the run to itself, twice cancels it, three times leaves a cancelled run to itself. */
function createPresses({ runs, run, display, interruptible }: FollowInput): Presses {
  let leaveAt: number | undefined;
  let cancelled = false;
  return {
    async handle(signal) {
      if (signal !== 'SIGINT' || interruptible === 'leave' || cancelled) return 'leave';
      if (leaveAt === undefined) {
        leaveAt = Date.now() + SECOND_CHANCE;
        display.note('Leaving the run to itself. Press Ctrl-C again now to cancel it.');
        return 'stay';
      }
      cancelled = true;
      leaveAt = undefined;
      display.note('Cancelling the run; what it has so far is kept.');
      await runs.cancel(run);
      return 'stay';
    },
    timeIsUp: () => leaveAt !== undefined && Date.now() >= leaveAt,
  };
}

/** What goes wrong with showing must not end the run: it is said once. */
function createComplaints(display: Display): (what: string, work: () => Promise<void>) => Promise<void> {
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

function onceNote(display: Display, line: string): () => void {
  let said = false;
  return () => {
    if (!said) display.note(line);
    said = true;
  };
}
