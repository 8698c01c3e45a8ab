/** An amount of USD, the same wherever the viewer names it. */
export function dollars(value: number): string {
  if (value === 0) return '$0';
  if (value < 0.0001) return '< $0.0001';
  if (value < 0.01) return `$${value.toFixed(4)}`;
  return value < 10 ? `$${value.toFixed(3)}` : `$${value.toFixed(2)}`;
}
