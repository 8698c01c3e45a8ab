import { describe, expect, it } from 'vitest';
import {
  acceptedLimits,
  changeLimits,
  compactBudget,
  left,
  NOTHING,
  notDelivered,
  openBudget,
  reserve,
  settle,
  type Amounts,
  type Budget,
  type BudgetLimits,
  type BudgetRequest,
  type BudgetStep,
} from '../../src/domain/budget.ts';

const LIMITS: BudgetLimits = { max_sandboxes: 10, max_llm_calls: 100 };

/** A budget and all that was granted, by the id of the request. */
interface Played {
  readonly budget: Budget;
  readonly granted: Readonly<Record<string, Amounts>>;
}

type Message = (budget: Budget) => BudgetStep;

/** Applies messages one after another. */
function play(limits: BudgetLimits, ...messages: readonly Message[]): Played {
  let budget = openBudget(limits);
  const granted: Record<string, Amounts> = {};
  for (const message of messages) {
    const step = message(budget);
    budget = step.budget;
    for (const { grant } of step.deliveries) granted[grant.id] = { ...NOTHING, ...amountsOf(grant) };
  }
  return { budget, granted };
}

function amountsOf({ sandboxes, llm_calls, model_calls }: Amounts): Amounts {
  return { sandboxes, llm_calls, model_calls };
}

let settlements = 0;

const ask =
  (id: string, wanted: Partial<BudgetRequest>): Message =>
  (budget) =>
    reserve(budget, { id, from: `agent of ${id}`, ...wanted });

const returned =
  (unused: Partial<Amounts>): Message =>
  (budget) =>
    settle(budget, { id: `settlement ${(settlements += 1)}`, from: 'any agent', unused });

const paid =
  (model_calls: number, usd: number): Message =>
  (budget) =>
    settle(budget, { id: `settlement ${(settlements += 1)}`, from: 'any agent', paid: { model_calls, usd } });

describe('a budget of sandboxes and llm_query calls', () => {
  it('counts the sandbox of the root', () => {
    expect(left(openBudget(LIMITS))).toEqual({ sandboxes: 9, llm_calls: 100 });
    expect(play({ ...LIMITS, max_sandboxes: 1 }, ask('a', { sandboxes: 1 })).granted['a']?.sandboxes).toBe(0);
  });

  it('grants as many as are left, in order of arrival', () => {
    const { granted, budget } = play(
      LIMITS,
      ask('a', { sandboxes: 7, llm_calls: 90 }),
      ask('b', { sandboxes: 7, llm_calls: 5 }),
      ask('c', { sandboxes: 7, llm_calls: 50 }),
    );
    expect(granted['a']).toMatchObject({ sandboxes: 7, llm_calls: 90 });
    expect(granted['b']).toMatchObject({ sandboxes: 2, llm_calls: 5 });
    expect(granted['c']).toMatchObject({ sandboxes: 0, llm_calls: 5 });
    expect(left(budget)).toEqual({ sandboxes: 0, llm_calls: 0 });
  });

  it('grants to others what was not used', () => {
    const { granted } = play(
      LIMITS,
      ask('a', { sandboxes: 9 }),
      ask('b', { sandboxes: 1 }),
      returned({ sandboxes: 2 }),
      ask('c', { sandboxes: 5 }),
    );
    expect([granted['b']?.sandboxes, granted['c']?.sandboxes]).toEqual([0, 2]);
  });

  it('gives a repeated request the same grant, and counts it once', () => {
    const first = reserve(openBudget(LIMITS), { id: 'a', from: 'run/0', sandboxes: 4 });
    const again = reserve(first.budget, { id: 'a', from: 'run/0', sandboxes: 4 });
    expect(again.deliveries).toEqual([{ ...first.deliveries[0], repeated: true }]);
    expect(again.budget.used).toEqual(first.budget.used);
  });

  it('counts a repeated settlement once', () => {
    const settlement = { id: 's', from: 'run/0', unused: { sandboxes: 2 } };
    const { budget } = play(
      LIMITS,
      ask('a', { sandboxes: 4 }),
      (state) => settle(state, settlement),
      (state) => settle(state, settlement),
    );
    expect(budget.used.sandboxes).toBe(3);
  });

  it('says in each grant what the limits are now', () => {
    const raised = changeLimits(openBudget(LIMITS), { max_sandboxes: 12 }).budget;
    expect(reserve(raised, { id: 'a', from: 'run/0', sandboxes: 20 }).deliveries).toMatchObject([
      { to: 'run/0', grant: { id: 'a', sandboxes: 11, limits: { max_sandboxes: 12, max_llm_calls: 100 } } },
    ]);
  });

  it('grants nothing more when a limit is lowered below what is used', () => {
    const lower: Message = (budget) => changeLimits(budget, { max_sandboxes: 3 });
    const { granted, budget } = play(LIMITS, ask('a', { sandboxes: 6 }), lower, ask('b', { sandboxes: 1 }));
    expect(granted['b']?.sandboxes).toBe(0);
    expect(budget.used.sandboxes).toBe(7);
    expect(left(budget).sandboxes).toBe(0);
  });

  it('takes back a grant whose agent has ended, unless it got it before', () => {
    const { budget, deliveries } = reserve(openBudget(LIMITS), { id: 'a', from: 'run/0', sandboxes: 4 });
    const [delivery] = deliveries;
    if (delivery === undefined) throw new Error('nothing was granted');
    expect(notDelivered(budget, delivery).budget.used.sandboxes).toBe(1);
    expect(notDelivered(budget, { ...delivery, repeated: true }).budget.used.sandboxes).toBe(5);
  });

  it('takes back the grant of a request that is withdrawn, once', () => {
    const withdraw =
      (id: string): Message =>
      (budget) =>
        settle(budget, { id, from: 'agent of a', withdraw: 'a' });
    const { budget } = play(LIMITS, ask('a', { sandboxes: 4 }), withdraw('s'), withdraw('t'));
    expect(budget.used.sandboxes).toBe(1);
  });

  it('remembers the last request of each agent when it continues as new', () => {
    const { budget } = play(LIMITS, ask('a', { sandboxes: 4 }), ask('b', { sandboxes: 1 }));
    const carried = JSON.parse(JSON.stringify(compactBudget(budget))) as Budget;
    expect(carried).toEqual(budget);
    expect(reserve(carried, { id: 'a', from: 'agent of a', sandboxes: 4 }).budget.used.sandboxes).toBe(6);
  });
});

describe('a budget of USD', () => {
  const USD: BudgetLimits = { ...LIMITS, max_cost: 1 };
  const calls = ({ granted }: Played): Readonly<Record<string, number>> =>
    Object.fromEntries(Object.entries(granted).map(([id, { model_calls }]) => [id, model_calls]));

  it('lets one call go first, for its price; the others wait for it', () => {
    expect(calls(play(USD, ask('a', { model_calls: 5 }), ask('b', { model_calls: 3 })))).toEqual({ a: 1 });
    expect(calls(play(USD, ask('a', { model_calls: 5 }), ask('b', { model_calls: 3 }), paid(1, 0.1)))).toEqual({
      a: 1,
      b: 3,
    });
  });

  it('grants as many as are left at the mean price, those in flight counted', () => {
    const first = [ask('first', { model_calls: 1 }), paid(1, 0.1)];
    expect(calls(play(USD, ...first, ask('a', { model_calls: 6 }), ask('b', { model_calls: 50 })))).toEqual({
      first: 1,
      a: 6,
      b: 3,
    });
  });

  it('grants one call while anything is left', () => {
    expect(calls(play(USD, ask('a', { model_calls: 1 }), paid(1, 0.7), ask('b', { model_calls: 9 })))).toMatchObject({
      b: 1,
    });
  });

  it('lets others wait while the calls in flight may use it up, and refuses them when they have', () => {
    const tight = [
      ask('a', { model_calls: 1 }),
      paid(1, 0.7),
      ask('b', { model_calls: 1 }),
      ask('c', { model_calls: 1 }),
    ];
    expect(calls(play(USD, ...tight))).not.toHaveProperty('c');
    expect(calls(play(USD, ...tight, paid(1, 0.1)))).toMatchObject({ c: 1 });
    expect(calls(play(USD, ...tight, paid(1, 0.3)))).toMatchObject({ c: 0 });
    expect(calls(play(USD, ...tight, returned({ model_calls: 1 })))).toMatchObject({ c: 1 });
  });

  it('does not let a request wait for agents that may be gone: asked again, it gets one call', () => {
    const tight = [
      ask('a', { model_calls: 1 }),
      paid(1, 0.7),
      ask('b', { model_calls: 1 }),
      ask('c', { model_calls: 4 }),
    ];
    expect(calls(play(USD, ...tight, ask('c', { model_calls: 4 })))).toMatchObject({ c: 1 });
  });

  it('grants the rest of a request at once, and keeps it for who waits', () => {
    const waits = play(USD, ask('a', { model_calls: 1 }), ask('b', { sandboxes: 9, model_calls: 1 }));
    expect(waits.budget.used.sandboxes).toBe(10);
    const withdrawn = settle(waits.budget, { id: 's', from: 'agent of b', withdraw: 'b' });
    expect(withdrawn.budget).toMatchObject({ used: { sandboxes: 1 }, waiting: [] });
  });

  it('is raised for those that wait', () => {
    const tight = [
      ask('a', { model_calls: 1 }),
      paid(1, 0.7),
      ask('b', { model_calls: 1 }),
      ask('c', { model_calls: 1 }),
    ];
    const raise: Message = (budget) => changeLimits(budget, { max_cost: 2 });
    expect(calls(play(USD, ...tight, raise))).toMatchObject({ c: 1 });
  });

  it('has no end in a run that began without a limit, nor where calls cost nothing', () => {
    const raise: Message = (budget) => changeLimits(budget, { max_cost: 2 });
    expect(play(LIMITS, raise).budget.limits).toEqual(LIMITS);
    expect(calls(play(USD, ask('a', { model_calls: 1 }), paid(1, 0), ask('b', { model_calls: 1000 })))).toMatchObject({
      b: 1000,
    });
  });

  it('counts sums of decimal fractions as people do', () => {
    const first = [ask('first', { model_calls: 1 }), paid(1, 0.1)];
    const { budget, granted } = play(
      USD,
      ...first,
      ask('a', { model_calls: 100 }),
      paid(9, 9 * 0.1),
      ask('b', { model_calls: 1 }),
    );
    expect([granted['a']?.model_calls, granted['b']?.model_calls]).toEqual([9, 0]);
    expect(left(budget).usd).toBeCloseTo(0);
  });
});

describe('limits that somebody sends', () => {
  it('are taken as far as they are numbers, and never above their ceilings', () => {
    const ceilings = { max_sandboxes: 50, max_cost: 5 };
    expect(acceptedLimits({ max_sandboxes: 80, max_llm_calls: 7.9, max_cost: 2 }, ceilings)).toEqual({
      max_sandboxes: 50,
      max_llm_calls: 7,
      max_cost: 2,
    });
    expect(acceptedLimits({ max_cost: 9 }, ceilings)).toEqual({ max_cost: 5 });
    expect(acceptedLimits({ max_sandboxes: 80 })).toEqual({ max_sandboxes: 80 });
  });

  it.each([
    [{ max_cost: 'lots' }],
    [{ max_cost: Number.NaN }],
    [{ max_cost: -1 }],
    [{ max_sandboxes: null }],
    [{ max_cost: Infinity }],
    [{ sandboxes: 3 }],
    ['more'],
    [null],
    [undefined],
    [[1]],
  ])('are ignored where they are none: %j', (message) => {
    expect(acceptedLimits(message)).toEqual({});
  });
});
