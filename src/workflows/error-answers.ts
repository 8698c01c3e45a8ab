import type { Answer } from '../domain/records.ts';

/** The same error for each of `count` prompts or tasks. */
export function errorAnswers(count: number, error: string): Answer[] {
  if (count <= 0) return [];
  return count === 1 ? [{ error }] : [{ error, count }];
}
