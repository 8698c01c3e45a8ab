/** `0:07`, `12:34`, `1:02:03`. */
export function formatClock(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function two(count: number): string {
  return String(count).padStart(2, '0');
}

/** `950`, `1.2k`, `34k`, `5.6M`. */
export function formatCount(count: number): string {
  if (count < 1000) return String(count);
  if (count < 999_500) return `${scaled(count / 1000)}k`;
  return `${scaled(count / 1_000_000)}M`;
}

function scaled(value: number): string {
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

/** US dollars; '' for zero, which mostly means that the price is unknown. */
export function formatCost(usd: number): string {
  if (usd <= 0) return '';
  if (usd < 0.0001) return '<$0.0001';
  return usd < 0.1 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

/** The same beside the most that there may be, where that is known. */
export function formatCostOf(usd: number, limit: number | undefined): string {
  return limit === undefined ? formatCost(usd) : `${formatCost(usd) || '$0'} of ${formatCost(limit)}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
