import type { StoredInput } from '../domain/inputs.ts';

/** What Python and the kernel take by themselves, MB. */
const BASE = 30;

/**
 * About how many MB of memory a sandbox needs to hold these variables. Rather too little than too much: who asks refuses
 * an analysis by it, and the kernel refuses what it cannot hold in the end.
 */
export function inputsNeed(inputs: readonly StoredInput[]): number {
  const bytes = inputs.reduce((sum, input) => sum + bytesOf(input), 0);
  return Math.ceil(BASE + bytes / 1_000_000);
}

function bytesOf({ format, size, summary: { length } }: StoredInput): number {
  if (format === 'text') return size * (length === null || length === size ? 1 : 1.5);
  return size * 1.1 + (length ?? 0) * 64;
}
