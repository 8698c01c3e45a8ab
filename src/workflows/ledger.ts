import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { agentWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
import {
  covers,
  giveBack,
  ledgerLeft,
  reserve,
  withBonus,
  withLimits,
  type Lease,
  type Ledger,
  type LedgerLimits,
} from '../domain/ledger.ts';
import {
  grantLeaseSignal,
  recallLeaseSignal,
  requestLeaseSignal,
  returnLeaseSignal,
  setLimitsSignal,
  spentQuery,
  type LeaseGrant,
  type LeaseRecall,
  type LeaseRequest,
  type LeaseReturn,
} from '../domain/messages.ts';

export const requestLease = defineSignal<[LeaseRequest]>(requestLeaseSignal);
export const grantLease = defineSignal<[LeaseGrant]>(grantLeaseSignal);
export const returnLease = defineSignal<[LeaseReturn]>(returnLeaseSignal);
export const recallLease = defineSignal<[LeaseRecall]>(recallLeaseSignal);

export const setLimits = defineSignal<[Partial<LedgerLimits>]>(setLimitsSignal);

export interface LedgerInput {
  readonly ledger: Ledger;
  /** Somebody may hold more than they need. */
  readonly recallable: boolean;
  readonly queue?: readonly LeaseRequest[];
  /** Grants by request id, so that a request asked twice is granted once. */
  readonly granted?: Readonly<Record<string, Lease>>;
  readonly returned?: readonly string[];
}

/**
 * Milliseconds after which a recall no longer waits for agents that have not answered. Long, because it also passes
 * while no worker runs; every agent or its parent answers.
 */
const RECALL_TIME = 300_000;

setWorkflowOptions({ failureExceptionTypes: [Error] }, ledger);
/** What a run may still spend. Lives as long as its run; has no children. */
export async function ledger(input: LedgerInput): Promise<void> {
  let state = input.ledger;
  let recallable = input.recallable;
  const queue: LeaseRequest[] = [...(input.queue ?? [])];
  const granted = new Map(Object.entries(input.granted ?? {}));
  const returned = new Set(input.returned ?? []);
  const { run } = splitLedgerId(workflowInfo().workflowId);

  setHandler(requestLease, (request) => {
    queue.push(request);
  });
  setHandler(setLimits, (changes) => {
    state = withLimits(state, changes);
  });
  /** Agents that have not yet answered the recall. */
  let unanswered = 0;
  setHandler(returnLease, ({ id, unused, recall }) => {
    if (returned.has(id)) return;
    returned.add(id);
    state = giveBack(state, unused);
    if (recall !== undefined) unanswered += recall.forwarded - 1;
  });
  setHandler(defineQuery<Ledger & { left: Lease }>(spentQuery), () => ({ ...state, left: ledgerLeft(state) }));

  async function grant(request: LeaseRequest): Promise<void> {
    let lease = granted.get(request.id);
    if (lease === undefined) {
      if (recallable && !covers(ledgerLeft(state), request.wanted)) {
        recallable = false;
        unanswered = 1;
        if (await send(agentWorkflowId(run, ROOT_AGENT), recallLease, [{ id: request.id }])) {
          await condition(() => unanswered <= 0 || covers(ledgerLeft(state), request.wanted), RECALL_TIME);
        }
      }
      const wanted = recallable ? withBonus(request.wanted, ledgerLeft(state)) : request.wanted;
      const reserved = reserve(state, wanted);
      state = reserved.ledger;
      lease = reserved.grant;
      granted.set(request.id, lease);
    }
    const delivered = await send(request.from, grantLease, [{ id: request.id, grant: lease, left: ledgerLeft(state) }]);
    if (!delivered) state = giveBack(state, lease);
  }

  try {
    for (;;) {
      await condition(() => queue.length > 0 || workflowInfo().continueAsNewSuggested);
      if (workflowInfo().continueAsNewSuggested) break;
      const request = queue.shift();
      if (request !== undefined) await grant(request);
    }
  } catch (error) {
    if (isCancellation(error)) return;
    throw error;
  }
  await condition(allHandlersFinished);
  await continueAsNew<typeof ledger>({
    ledger: state,
    recallable,
    queue,
    granted: Object.fromEntries([...granted].slice(-1000)),
    returned: [...returned].slice(-1000),
  });
}

/** False when the receiver is gone: what it was to get is nobody's then. */
async function send<Args extends unknown[]>(
  workflowId: string,
  signal: ReturnType<typeof defineSignal<Args>>,
  args: Args,
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}

function splitLedgerId(workflowId: string): { run: string } {
  return { run: workflowId.slice(0, workflowId.lastIndexOf('/')) };
}
