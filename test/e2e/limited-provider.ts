import type { Reply } from '../../src/testing/index.ts';

export interface Window {
  readonly requests: number;
  readonly ms: number;
}

/** Headers of a refusal, by how long the window still lasts. */
export type Hint = (leftMs: number) => Record<string, string>;

/** The rate limits of providers: none says when to come back, some too early, some right. */
export const HINTS: Readonly<Record<string, Hint>> = {
  'without hints': () => ({}),
  'with hints far too short': () => ({ 'retry-after-ms': '120' }),
  'with hints of nothing': () => ({ 'retry-after': '0' }),
  'with hints that are right': (leftMs) => ({ 'retry-after-ms': String(leftMs) }),
};

/** What a provider with a fixed window says: an answer, or a refusal with its hint. Refused requests count too. */
export function limitedProvider({ requests, ms }: Window, hint: Hint): (answer: Reply) => Reply {
  let [begunAt, taken] = [0, 0];
  return (answer) => {
    const now = Date.now();
    if (now - begunAt >= ms) [begunAt, taken] = [now, 0];
    taken += 1;
    if (taken <= requests) return answer;
    const body = { error: { message: 'Rate limit reached: too many requests per minute.' } };
    return { error: { status: 429, body, headers: hint(begunAt + ms - now) } };
  };
}
