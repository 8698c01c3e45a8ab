import { describe, expect, it } from 'vitest';
import {
  addLease,
  covers,
  EMPTY_LEASE,
  firstLease,
  giveBack,
  ledgerLeft,
  openLedger,
  partOf,
  reserve,
  spend,
  withBonus,
} from '../../src/domain/ledger.ts';

const wanted = { sandboxes: 25, llm_calls: 0, usd: 0 };

describe('the ledger', () => {
  it('grants as many as are left, and no more', () => {
    const first = reserve(openLedger({ sandboxes: 30, llm_calls: 500 }), wanted);
    expect(first.grant.sandboxes).toBe(25);
    const second = reserve(first.ledger, wanted);
    expect(second.grant.sandboxes).toBe(5);
    expect(reserve(second.ledger, wanted).grant.sandboxes).toBe(0);
  });

  it('does not change the ledger it was given', () => {
    const ledger = openLedger({ sandboxes: 3, llm_calls: 3 });
    reserve(ledger, wanted);
    expect(ledgerLeft(ledger).sandboxes).toBe(3);
  });

  it('takes back what was not used, and never more than was taken', () => {
    const { ledger } = reserve(openLedger({ sandboxes: 10, llm_calls: 10 }), { sandboxes: 4, llm_calls: 4, usd: 0 });
    const after = giveBack(ledger, { sandboxes: 1, llm_calls: 99, usd: 5 });
    expect(after.taken).toEqual({ sandboxes: 3, llm_calls: 0, usd: 0 });
  });

  it('grants USD in full without a limit, and up to the limit with one', () => {
    const ask = { sandboxes: 0, llm_calls: 0, usd: 3 };
    expect(reserve(openLedger({ sandboxes: 1, llm_calls: 1 }), ask).grant.usd).toBe(3);
    expect(reserve(openLedger({ sandboxes: 1, llm_calls: 1, usd: 2 }), ask).grant.usd).toBe(2);
  });

  it('adds an eighth of what is left to a request for llm_query calls, and nothing to one for sandboxes', () => {
    const left = { sandboxes: 50, llm_calls: 401, usd: 0 };
    expect(withBonus({ sandboxes: 2, llm_calls: 1, usd: 0 }, left)).toEqual({ sandboxes: 2, llm_calls: 51, usd: 0 });
    expect(withBonus({ sandboxes: 2, llm_calls: 0, usd: 0 }, left).llm_calls).toBe(0);
  });
});

describe('leases', () => {
  const lease = { sandboxes: 5, llm_calls: 100, usd: 1 };

  it('are added and spent field by field', () => {
    expect(addLease(lease, { sandboxes: 1, llm_calls: 2, usd: 0.5 })).toEqual({
      sandboxes: 6,
      llm_calls: 102,
      usd: 1.5,
    });
    expect(spend(lease, { llm_calls: 10 })).toEqual({ sandboxes: 5, llm_calls: 90, usd: 1 });
  });

  it('cover a wish when every field does', () => {
    expect(covers(lease, { sandboxes: 5, llm_calls: 1, usd: 0 })).toBe(true);
    expect(covers(lease, { sandboxes: 6, llm_calls: 1, usd: 0 })).toBe(false);
  });

  it('give the part of a wish that they hold', () => {
    expect(partOf(lease, { sandboxes: 9, llm_calls: 9, usd: 9 })).toEqual({ sandboxes: 5, llm_calls: 9, usd: 1 });
    expect(partOf({ ...lease, usd: -1 }, { ...EMPTY_LEASE, usd: 1 }).usd).toBe(0);
  });

  it('for children hold a sandbox each and, together, half of what their parent has beyond that', () => {
    expect(firstLease(lease, 5)).toEqual({ sandboxes: 2, llm_calls: 10, usd: 0.1 });
  });
});
