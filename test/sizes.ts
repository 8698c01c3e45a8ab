import { describe, it } from 'vitest';

/** Whether the whole series run (`npm run test:long`), or what shows the same in minutes (`npm test`). */
export const LONG = process.env['TEST_LONG'] === '1';

/** @returns a size or a list of cases: what everyday runs use, or what long ones do */
export function sized<T>(usual: T, long: T): T {
  return LONG ? long : usual;
}

/** @returns of cases that begin with a name, in everyday runs those of these names, and in long ones all */
export function sizedCases<T extends readonly [string, ...unknown[]]>(
  usual: readonly string[],
  cases: readonly T[],
): readonly T[] {
  const chosen = cases.filter(([name]) => usual.includes(name));
  if (chosen.length !== usual.length) throw new Error(`not all of these are cases: ${usual.join(', ')}`);
  return sized(chosen, cases);
}

/** As `it`, for what takes long and differs little from what everyday runs show; those do not have it. */
export function itLong(name: string, run: () => void | Promise<void>, timeout?: number): void {
  if (LONG) it(name, run, timeout);
}

/** The same for several. */
export function describeLong(name: string, tests: () => void): void {
  if (LONG) describe(name, tests);
}
