/** What somebody may spend: sandboxes to create, `llm_query` calls to make, USD. */
export interface Lease {
  readonly sandboxes: number;
  readonly llm_calls: number;
  readonly usd: number;
}

export const EMPTY_LEASE: Lease = { sandboxes: 0, llm_calls: 0, usd: 0 };

export interface LedgerLimits {
  readonly sandboxes: number;
  readonly llm_calls: number;
  /** Absent: no limit. */
  readonly usd?: number;
}

/** What is out on lease or spent, and what was granted by request id, so that a request asked twice is granted once. */
export interface Ledger {
  readonly limits: LedgerLimits;
  readonly taken: Lease;
}

export function openLedger(limits: LedgerLimits): Ledger {
  return { limits, taken: EMPTY_LEASE };
}

/** The same ledger with other limits; a limit below what is taken leaves nothing. */
export function withLimits(ledger: Ledger, changes: Partial<LedgerLimits>): Ledger {
  const { limits } = ledger;
  // A run without a limit of USD reserves none, so it can get none either.
  const usd = limits.usd === undefined ? undefined : (changes.usd ?? limits.usd);
  return {
    ...ledger,
    limits: {
      sandboxes: changes.sandboxes ?? limits.sandboxes,
      llm_calls: changes.llm_calls ?? limits.llm_calls,
      ...(usd === undefined ? {} : { usd }),
    },
  };
}

/** Grants as much of each as is left. USD is granted in full without a limit. */
export function reserve(ledger: Ledger, wanted: Lease): { ledger: Ledger; grant: Lease } {
  const { limits, taken } = ledger;
  const grant: Lease = {
    sandboxes: atMost(wanted.sandboxes, limits.sandboxes - taken.sandboxes),
    llm_calls: atMost(wanted.llm_calls, limits.llm_calls - taken.llm_calls),
    usd: limits.usd === undefined ? wanted.usd : atMost(wanted.usd, limits.usd - taken.usd),
  };
  return { ledger: { limits, taken: addLease(taken, grant) }, grant };
}

/** More than was asked for, so that its holder need not ask each time: an eighth of what is left. */
export function withBonus(wanted: Lease, left: Lease): Lease {
  const extra = (asked: number, available: number): number =>
    asked > 0 ? Math.floor(Math.max(0, available - asked) / 8) : 0;
  return {
    sandboxes: wanted.sandboxes,
    llm_calls: wanted.llm_calls + extra(wanted.llm_calls, left.llm_calls),
    usd: wanted.usd,
  };
}

export function covers(lease: Lease, wanted: Lease): boolean {
  return lease.sandboxes >= wanted.sandboxes && lease.llm_calls >= wanted.llm_calls && lease.usd >= wanted.usd;
}

/** As much of `wanted` as `lease` holds. */
export function partOf(lease: Lease, wanted: Lease): Lease {
  return {
    sandboxes: atMost(wanted.sandboxes, lease.sandboxes),
    llm_calls: atMost(wanted.llm_calls, lease.llm_calls),
    usd: atMost(wanted.usd, lease.usd),
  };
}

/**
 * The first lease of the next of `children` agents: a sandbox for itself and, between them, half of what their parent
 * has beyond that, so that most of them never need to ask the ledger.
 */
export function firstLease(parent: Lease, children: number): Lease {
  const share = 2 * Math.max(1, children);
  return {
    sandboxes: 1 + Math.ceil(Math.max(0, parent.sandboxes) / share),
    llm_calls: Math.floor(Math.max(0, parent.llm_calls) / share),
    usd: Math.max(0, parent.usd) / share,
  };
}

/** Takes back what was leased and not used. */
export function giveBack(ledger: Ledger, unused: Lease): Ledger {
  const { taken } = ledger;
  return {
    limits: ledger.limits,
    taken: {
      sandboxes: Math.max(0, taken.sandboxes - unused.sandboxes),
      llm_calls: Math.max(0, taken.llm_calls - unused.llm_calls),
      usd: Math.max(0, taken.usd - unused.usd),
    },
  };
}

export function ledgerLeft({ limits, taken }: Ledger): Lease {
  return {
    sandboxes: Math.max(0, limits.sandboxes - taken.sandboxes),
    llm_calls: Math.max(0, limits.llm_calls - taken.llm_calls),
    usd: limits.usd === undefined ? Number.MAX_SAFE_INTEGER : Math.max(0, limits.usd - taken.usd),
  };
}

export function addLease(a: Lease, b: Lease): Lease {
  return { sandboxes: a.sandboxes + b.sandboxes, llm_calls: a.llm_calls + b.llm_calls, usd: a.usd + b.usd };
}

/** `lease` less `spent`; USD may go below zero, because a call's cost is known only afterwards. */
export function spend(lease: Lease, spent: Partial<Lease>): Lease {
  return {
    sandboxes: lease.sandboxes - (spent.sandboxes ?? 0),
    llm_calls: lease.llm_calls - (spent.llm_calls ?? 0),
    usd: lease.usd - (spent.usd ?? 0),
  };
}

function atMost(wanted: number, left: number): number {
  return Math.max(0, Math.min(wanted, left));
}
