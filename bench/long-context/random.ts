/** A source of chance that gives the same for the same seed, on every machine. */
export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** True in `share` of all cases. */
  chance(share: number): boolean;
  /** A place in the list, each as likely as its weight. */
  weighted(weights: readonly number[]): number;
}

/** Mulberry32: 32 bits of state, good enough to strew words. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (list) => list[below(list.length)] ?? list[0],
    chance: (share) => next() < share,
    weighted(weights) {
      let rest = next() * weights.reduce((sum, weight) => sum + weight, 0);
      const found = weights.findIndex((weight) => (rest -= weight) < 0);
      return found < 0 ? weights.length - 1 : found;
    },
  };
}

/** One seed for both, so that a task of another size is another task. */
export function seedOf(seed: number, size: number): number {
  return Math.imul(seed + 1, 0x9e3779b1) ^ size;
}
