import { isUtf8 } from 'node:buffer';
import { errorMessage } from '../domain/error-message.ts';
import { ExactNumber } from '../domain/summarize-value.ts';

/** Larger texts are shown with JavaScript's numbers. */
const MOST_EXACT = 1024 * 1024;

export type ParsedJson = { readonly value: unknown } | { readonly fault: string };

export function parseJson(text: string): ParsedJson {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const told = errorMessage(error);
    // The position is of a part, which would mislead.
    return { fault: told.replace(/ at position \d+( \(line \d+ column \d+\))?/, '').replaceAll('\n', ' ') };
  }
}

export function parseJsonBytes(bytes: Buffer): ParsedJson {
  return isUtf8(bytes) ? parseJson(bytes.toString('utf8')) : { fault: 'it holds bytes that are not UTF-8' };
}

/** JSON that is known to be right, with its numbers as they are written. */
export function parseExactly(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && context?.source !== undefined ? new ExactNumber(context.source) : value;
  return JSON.parse(text, text.length > MOST_EXACT ? undefined : exact) as unknown;
}
