import { describe, expect, it } from 'vitest';
import { sized } from '../sizes.ts';
import { simulate, type Simulated, type SimulationOptions } from './budget-simulation.ts';

const LIMITS = { max_sandboxes: 6, max_llm_calls: 25 };
/** Orders of each kind. */
const SEEDS = sized(600, 2500);
/** Simulations at a time: each waits for the event loop at every step. */
const AT_A_TIME = 100;

async function simulateAll(options: SimulationOptions): Promise<Simulated[]> {
  const all: Simulated[] = [];
  for (let seed = 0; seed < SEEDS; seed += AT_A_TIME) {
    const seeds = Array.from({ length: Math.min(AT_A_TIME, SEEDS - seed) }, (_, index) => seed + index);
    // oxlint-disable-next-line no-await-in-loop -- some at a time
    all.push(...(await Promise.all(seeds.map((each) => simulate(each, options)))));
  }
  // The first order that shows a problem can be played again by its seed.
  expect(
    all.flatMap(({ problems }, seed) => problems.slice(0, 1).map((problem) => `seed ${seed}: ${problem}`)),
  ).toEqual([]);
  return all;
}

/** Neither agents nor requests are left over, and all that is counted was made. */
function expectExact(all: readonly Simulated[]): void {
  for (const { limits, used, made, inFlight, waiting } of all) {
    expect([used.sandboxes, used.llm_calls, inFlight, waiting]).toEqual([made.sandboxes, made.llm_calls, 0, 0]);
    expect(used.usd).toBeCloseTo(limits.max_cost === undefined ? 0 : made.usd);
  }
}

describe('in thousands of orders of messages, delayed and repeated, with a budget that continues as new', () => {
  it(
    'agents that end by themselves use min(limit, demand), and exactly the rest is refused',
    { timeout: 120_000 },
    async () => {
      const all = await simulateAll({ limits: LIMITS });
      expectExact(all);
      for (const { used, demand, refused } of all) {
        expect(used.sandboxes).toBe(Math.min(LIMITS.max_sandboxes, demand.sandboxes));
        expect(used.llm_calls).toBe(Math.min(LIMITS.max_llm_calls, demand.llm_calls));
        expect(refused.sandboxes).toBe(demand.sandboxes - used.sandboxes);
        expect(refused.llm_calls).toBe(demand.llm_calls - used.llm_calls);
      }
      // Both kinds of runs are among them.
      expect(new Set(all.map(({ refused }) => refused.sandboxes > 0))).toEqual(new Set([true, false]));
      expect(new Set(all.map(({ refused }) => refused.llm_calls > 0))).toEqual(new Set([true, false]));
    },
  );

  it(
    'what is given back, or asked for by agents that are cancelled, is counted exactly',
    { timeout: 120_000 },
    async () => {
      expectExact(await simulateAll({ limits: { ...LIMITS, max_cost: 2 }, unused: 0.3, cancels: 0.02 }));
    },
  );

  it('what terminated agents got stays counted, and nobody waits for them', { timeout: 120_000 }, async () => {
    const all = await simulateAll({ limits: { ...LIMITS, max_cost: 2 }, cancels: 0.01, kills: 0.01 });
    for (const { used, limits } of all) {
      expect(used.sandboxes).toBeLessThanOrEqual(limits.max_sandboxes);
      expect(used.llm_calls).toBeLessThanOrEqual(limits.max_llm_calls);
    }
  });

  it(
    'USD is used up before a call is refused, and exceeded by at most a call of each agent',
    { timeout: 120_000 },
    async () => {
      const max_cost = 1.5;
      const all = await simulateAll({ limits: { max_sandboxes: 8, max_llm_calls: 200, max_cost } });
      expectExact(all);
      for (const { used, agents } of all) expect(used.usd).toBeLessThanOrEqual(max_cost + agents * 0.1 + 1e-9);
      expect(new Set(all.map(({ refused }) => refused.unpaid > 0))).toEqual(new Set([true, false]));
    },
  );
});
