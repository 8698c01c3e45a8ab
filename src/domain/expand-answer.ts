import type { Answer } from './records.ts';

/**
 * The answers that one item of a batch stands for.
 *
 * @param getJson reads a blob
 */
export async function expandAnswer(
  { getJson }: { readonly getJson: (hash: string) => Promise<unknown> },
  item: Answer,
): Promise<readonly Answer[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
  if ('list' in item) return (await getJson(item.list)) as readonly Answer[];
  if (!('error' in item) || 'ref' in item || item.count === undefined) return [item];
  const { count, error } = item;
  return Array.from({ length: count }, () => ({ error }));
}
