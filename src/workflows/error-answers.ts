import type { Answer } from '../domain/records.ts';

/** The same error for each of `count` prompts or tasks. */
export function errorAnswers(count: number, error: string): Answer[] {
  return Array.from({ length: Math.max(0, count) }, () => ({ error }));
}
