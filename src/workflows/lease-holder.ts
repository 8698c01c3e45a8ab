import { condition, getExternalWorkflowHandle, isCancellation, setHandler, uuid4 } from '@temporalio/workflow';
import { ledgerWorkflowId } from '../domain/ids.ts';
import { addLease, covers, EMPTY_LEASE, partOf, spend, type Lease } from '../domain/ledger.ts';
import type { LeaseGrant, LeaseRecall, LeaseReturn } from '../domain/messages.ts';
import { grantLease, recallLease, requestLease, returnLease } from './ledger.ts';

/** A recall that is about to be handed on. */
export interface Recalled {
  readonly children: number;
  readonly forward: () => void;
}

/** What an agent may spend without asking, and how it gets more. */
export interface LeaseHolder {
  readonly balance: Lease;
  /** The ledger has asked for what is not needed. */
  readonly recalled: boolean;
  /** Resolves when nothing is on its way to or from the ledger. */
  idle(): Promise<void>;
  /** Takes as much of `wanted` as can be had: from the balance, the rest from the ledger in one request. */
  take(wanted: Partial<Lease>): Promise<Lease>;
  /** Corrects the balance by what something really cost. */
  settle(spent: Partial<Lease>): void;
  /** Answers a recall in the name of a child that has ended. */
  answerRecall(recall: LeaseRecall): void;
  /** What a child returned unused. */
  receive(unused: Lease): void;
}

/**
 * @param onRecall tells to how many children the ledger's recall is handed on, and does so.
 */
export function createLeaseHolder(input: {
  run: string;
  workflowId: string;
  lease: Lease;
  /** Default false. */
  recalled?: boolean;
  onRecall: (recall: LeaseRecall) => Recalled;
}): LeaseHolder {
  const ledger = (): ReturnType<typeof getExternalWorkflowHandle> =>
    getExternalWorkflowHandle(ledgerWorkflowId(input.run));
  const grants = new Map<string, LeaseGrant>();
  let balance = input.lease;
  let recalled = input.recalled ?? false;
  let underWay = 0;
  let turn: Promise<unknown> = Promise.resolve();

  setHandler(grantLease, (grant) => {
    grants.set(grant.id, grant);
  });
  setHandler(recallLease, async ({ id }) => {
    recalled = true;
    const { children, forward } = input.onRecall({ id });
    // The ledger must hear how many answers to expect before it hears the first of them.
    await returnToLedger({ id, forwarded: children });
    forward();
  });

  async function returnToLedger(recall?: LeaseReturn['recall']): Promise<void> {
    const unused = partOf(balance, { ...balance, usd: Math.max(0, balance.usd) });
    if (recall === undefined && unused.sandboxes + unused.llm_calls + unused.usd <= 0) return;
    balance = spend(balance, unused);
    underWay += 1;
    try {
      await ledger().signal(returnLease, { id: uuid4(), unused, ...(recall === undefined ? {} : { recall }) });
    } catch {
      balance = addLease(balance, unused);
    } finally {
      underWay -= 1;
    }
  }

  async function ask(wanted: Lease): Promise<void> {
    const id = uuid4();
    try {
      await ledger().signal(requestLease, { id, from: input.workflowId, wanted });
    } catch (error) {
      if (isCancellation(error)) throw error;
      return; // Without a ledger nothing is granted.
    }
    await condition(() => grants.has(id));
    const answer = grants.get(id);
    grants.delete(id);
    if (answer === undefined) return;
    balance = addLease(balance, answer.grant);
  }

  async function takeNow(wanted: Lease): Promise<Lease> {
    // Taken off first: what is about to be spent must not be given back by a recall in the meantime.
    const held = takeFromBalance(wanted);
    if (covers(held, wanted)) return held;
    // A balance below zero (a call cost more than was reserved for it) is made good as well.
    const missing = spend(wanted, held);
    await ask({ ...missing, usd: missing.usd + Math.max(0, -balance.usd) });
    return addLease(held, takeFromBalance(spend(wanted, held)));
  }

  function takeFromBalance(wanted: Lease): Lease {
    const taken = partOf(balance, wanted);
    balance = spend(balance, taken);
    return taken;
  }

  return {
    get balance() {
      return balance;
    },
    get recalled() {
      return recalled;
    },
    async idle() {
      await turn.catch(() => undefined);
      await condition(() => underWay === 0);
    },
    take(wanted) {
      // One after another: two calls at once must not both count on the same balance.
      const result = turn.then(() => takeNow({ ...EMPTY_LEASE, ...wanted }));
      turn = result.catch(() => undefined);
      return result;
    },
    settle(spent) {
      balance = spend(balance, spent);
    },
    answerRecall: ({ id }) => void returnToLedger({ id, forwarded: 0 }),
    receive(unused) {
      balance = addLease(balance, unused);
      if (recalled) void returnToLedger();
    },
  };
}
