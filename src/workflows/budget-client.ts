import {
  BUDGET_ENDED,
  NOTHING,
  type Amounts,
  type BudgetGrant,
  type BudgetRequest,
  type BudgetSettlement,
} from '../domain/budget.ts';
import { typedFailure } from './failure.ts';

/** What is done about a request or a part of one; the rest of a settlement is the client's. */
type Outcome = Pick<BudgetSettlement, 'unused' | 'paid'>;

/** How an agent gets what its run's budget has left. */
export interface BudgetClient {
  /**
   * As much of `wanted` as is left. What is wanted at the same time is one request.
   *
   * @throws ApplicationFailure `Run.BudgetLost`; what cancels the caller, and gives back what it would have got
   */
  reserve(wanted: Partial<Amounts>): Promise<Omit<BudgetGrant, 'id'>>;
  /** Tells the budget what became of what it granted. */
  settle(outcome: Outcome): void;
  /** The answer to a request. */
  receive(grant: BudgetGrant): void;
  /** Resolves when no request is open and everything is settled: only then may its workflow end or continue as new. */
  idle(): Promise<void>;
}

/** What the client needs of a workflow, or of a test in its place. */
export interface BudgetPort {
  /** Sends a message to the budget; resolves when it is delivered, false when the budget is gone. */
  readonly reserve: (request: BudgetRequest) => Promise<boolean>;
  readonly settle: (settlement: BudgetSettlement) => Promise<boolean>;
  /** Resolves when `done` is true, or with false after `milliseconds`; rejects when its caller is cancelled. */
  readonly until: (done: () => boolean, milliseconds?: number) => Promise<boolean>;
  /** Runs `work` to its end although the caller is cancelled. */
  readonly detached: (work: () => Promise<void>) => Promise<void>;
  /** Something that no execution of the same workflow had before, also when it was reset. */
  readonly nonce: () => string;
}

/** Milliseconds after which a request that is not answered is sent again. */
const ASK_AGAIN_MS = 30_000;

/** Part of a request. */
interface Want {
  /** What has not been asked for, or not been answered. */
  wanted: Amounts;
  granted: Amounts;
  state: 'open' | 'withdrawn' | { readonly grant: BudgetGrant } | 'lost';
}

/**
 * Sends one request at a time, and one settlement; the next only when the one before has been delivered, so that the
 * budget recognises a repeated one by comparing it with the last.
 *
 * @param from workflow id of the agent
 */
export function createBudgetClient(from: string, port: BudgetPort): BudgetClient {
  let queued: Want[] = [];
  let open: { readonly request: string; grant?: BudgetGrant } | undefined;
  let asking = false;
  let settled: Promise<void> = Promise.resolve();
  let unsettled = 0;
  let messages = 0;

  function newId(): string {
    messages += 1;
    return `${from.slice(from.lastIndexOf('/') + 1)}:${messages}:${port.nonce()}`;
  }

  /** Sends what is wanted until nothing is. */
  async function ask(): Promise<void> {
    await Promise.resolve(); // What else is wanted now belongs to the same request.
    while (queued.length > 0) {
      const wants = queued;
      queued = [];
      const wanted = wants.map((want) => want.wanted).reduce(add);
      // oxlint-disable-next-line no-await-in-loop -- one request at a time
      const grant = await exchange({ id: newId(), from, ...withoutZeros(wanted) }, wants);
      if (grant === 'lost') for (const want of wants) want.state = 'lost';
      else if (grant !== 'withdrawn') share(grant, wants);
    }
    asking = false;
  }

  async function exchange(request: BudgetRequest, wants: readonly Want[]): Promise<BudgetGrant | 'withdrawn' | 'lost'> {
    const isWithdrawn = (): boolean => wants.every(({ state }) => state === 'withdrawn');
    const exchanged: { request: string; grant?: BudgetGrant } = { request: request.id };
    open = exchanged;
    do {
      // oxlint-disable-next-line no-await-in-loop -- the same request again
      if (!(await port.reserve(request))) return 'lost';
      // oxlint-disable-next-line no-await-in-loop -- as above
    } while (!(await port.until(() => exchanged.grant !== undefined || isWithdrawn(), ASK_AGAIN_MS)));
    if (exchanged.grant !== undefined) return exchanged.grant;
    // The budget knows the last request only.
    await send({ withdraw: request.id });
    return 'withdrawn';
  }

  /** Divides a grant, in the order it was asked for. */
  function share(grant: BudgetGrant, wants: readonly Want[]): void {
    let rest: Amounts = grant;
    let unused = NOTHING;
    for (const want of wants) {
      const part = least(want.wanted, rest);
      rest = subtract(rest, part);
      if (want.state === 'withdrawn') {
        unused = add(unused, part);
        continue;
      }
      want.granted = add(want.granted, part);
      const { model_calls } = want.wanted;
      // The model calls went to others: there may be more when those are paid for.
      if (model_calls > 0 && part.model_calls === 0 && grant.model_calls > 0) {
        want.wanted = { ...NOTHING, model_calls };
        queued.push(want);
      } else want.state = { grant: { ...grant, ...want.granted } };
    }
    if (!isNothing(unused)) void send({ unused });
  }

  /** Resolves when the budget has it. One that is gone counts nothing any more. */
  function send(settlement: Omit<BudgetSettlement, 'id' | 'from'>): Promise<void> {
    const message: BudgetSettlement = { id: newId(), from, ...settlement };
    unsettled += 1;
    settled = settled.then(() =>
      port.detached(async () => {
        await port.settle(message);
        unsettled -= 1;
      }),
    );
    return settled;
  }

  return {
    async reserve(wanted) {
      const want: Want = { wanted: { ...NOTHING, ...wanted }, granted: NOTHING, state: 'open' };
      queued.push(want);
      if (!asking) {
        asking = true;
        void port.detached(ask);
      }
      try {
        await port.until(() => want.state !== 'open');
      } catch (error) {
        want.state = 'withdrawn';
        queued = queued.filter((each) => each !== want);
        if (!isNothing(want.granted)) void send({ unused: want.granted });
        throw error;
      }
      if (typeof want.state === 'object') return want.state.grant;
      throw typedFailure('Run.BudgetLost', `${BUDGET_ENDED} Start the run again under another id.`);
    },
    settle: (outcome) => void send(outcome),
    receive(grant) {
      if (grant.id === open?.request) open.grant = grant;
    },
    async idle() {
      await port.until(() => !asking && unsettled === 0);
    },
  };
}

function add(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => x + y);
}

function subtract(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => x - y);
}

function least(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, Math.min);
}

function combine(a: Amounts, b: Amounts, operation: (x: number, y: number) => number): Amounts {
  return {
    sandboxes: operation(a.sandboxes, b.sandboxes),
    llm_calls: operation(a.llm_calls, b.llm_calls),
    model_calls: operation(a.model_calls, b.model_calls),
  };
}

function isNothing({ sandboxes, llm_calls, model_calls }: Amounts): boolean {
  return sandboxes + llm_calls + model_calls === 0;
}

function withoutZeros({ sandboxes, llm_calls, model_calls }: Amounts): Partial<Amounts> {
  return {
    ...(sandboxes === 0 ? {} : { sandboxes }),
    ...(llm_calls === 0 ? {} : { llm_calls }),
    ...(model_calls === 0 ? {} : { model_calls }),
  };
}
