import type { ItemPage, NextItem, PlannedItem } from '../domain/batch.ts';
import type { ActivityDependencies } from './dependencies.ts';

/*
 * The items of a batch are stored in pages, each a blob: a step of the batch reads what it needs, however many items
 * there are, and what it returns fits into a payload of Temporal.
 */

const MAX_PAGE_ITEMS = 50;
/** Of JSON, unless a single item has more. */
const MAX_PAGE_BYTES = 500_000;
/** Of JSON: it becomes the input of a workflow, of which Temporal takes 2 MiB. */
export const MAX_ITEM_BYTES = 1_900_000;

type Chains = Pick<ActivityDependencies['chains'], 'putJson' | 'getJson'>;

/** @returns the blob with the list of pages */
export async function storePages(chains: Chains, items: readonly NextItem[]): Promise<string> {
  const pages: ItemPage[] = [];
  for (const { from, items: part } of splitPages(items)) {
    // oxlint-disable-next-line no-await-in-loop -- one file after another; there are few
    pages.push({ from, items: await chains.putJson(part) });
  }
  return chains.putJson(pages);
}

function splitPages(items: readonly NextItem[]): { from: number; items: NextItem[] }[] {
  const pages: { from: number; items: NextItem[] }[] = [];
  let size = Infinity;
  for (const [index, item] of items.entries()) {
    const bytes = jsonBytes(item);
    const last = pages.at(-1);
    size += bytes;
    if (last === undefined || last.items.length === MAX_PAGE_ITEMS || size > MAX_PAGE_BYTES) {
      pages.push({ from: index, items: [item] });
      size = bytes;
    } else last.items.push(item);
  }
  return pages;
}

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** From a position to the end of its page. Empty behind the last. */
export async function itemsFrom(chains: Chains, list: string, from: number): Promise<readonly NextItem[]> {
  const page = (await readPages(chains, list)).findLast((each) => each.from <= from);
  return page === undefined ? [] : (await readPage(chains, page)).slice(from - page.from);
}

/** All of them. */
export async function plannedItems({ chains }: { chains: Chains }, list: string): Promise<readonly PlannedItem[]> {
  const items: PlannedItem[] = [];
  for (const page of await readPages(chains, list)) {
    // oxlint-disable-next-line no-await-in-loop -- one file after another; there are few
    for (const { run, name, ...rest } of await readPage(chains, page)) items.push({ run, name, ...rest });
  }
  return items;
}

async function readPages(chains: Chains, list: string): Promise<readonly ItemPage[]> {
  return (await chains.getJson(list)) as readonly ItemPage[];
}

async function readPage(chains: Chains, { items }: ItemPage): Promise<readonly NextItem[]> {
  return (await chains.getJson(items)) as readonly NextItem[];
}
