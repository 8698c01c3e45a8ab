import { errorMessage } from '../domain/error-message.ts';
import { parseJson as parse } from '../domain/ordered-json.ts';

export type ParsedJson = { readonly value: unknown } | { readonly fault: string };

export const NO_NAN = 'JSON has no NaN or Infinity; write null where a number is missing';

export function parseJson(text: string): ParsedJson {
  try {
    return { value: parse(text) };
  } catch (error) {
    const told = errorMessage(error);
    if (/token '[NI]'|No number after minus/.test(told) && /NaN|Infinity/.test(text)) return { fault: NO_NAN };
    // The position is of a part, which would mislead.
    return { fault: told.replace(/ at position \d+( \(line \d+ column \d+\))?/, '').replaceAll('\n', ' ') };
  }
}
