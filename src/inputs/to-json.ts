/** Node 21 and later; before, an integer beyond 2^53 becomes the text of its digits. */
const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown };

/** JSON with integers of any size. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? (rawJSON?.(String(each)) ?? String(each)) : each,
  );
}
