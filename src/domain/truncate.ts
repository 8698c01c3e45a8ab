/** Keeps head and tail within `limit` characters, with a line between that says how much is left out. Never splits a surrogate pair. */
export function truncateMiddle(text: string, limit: number): { text: string; truncated: boolean } {
  if (text.length <= limit) return { text, truncated: false };
  const half = Math.max(1, Math.floor(limit / 2));
  const head = safeSlice(text, 0, half);
  const tail = safeSlice(text, text.length - half, text.length);
  const left = text.length - head.length - tail.length;
  return { text: `${head}\n... [${left} characters left out] ...\n${tail}`, truncated: true };
}

/** The first `limit` characters, with an ellipsis where something follows. */
export function truncate(text: string, limit: number): string {
  return text.length <= limit ? text : `${safeSlice(text, 0, Math.max(0, limit - 1))}…`;
}

function safeSlice(text: string, from: number, to: number): string {
  const start = isLowSurrogate(text.charCodeAt(from)) ? from + 1 : from;
  const end = isLowSurrogate(text.charCodeAt(to)) ? to - 1 : to;
  return text.slice(start, end);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
