import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import {
  itemFailureName,
  MAX_CONCURRENCY,
  runsOfBatch,
  type BatchInput,
  type BatchItem,
  type ItemEnd,
  type ItemFailure,
  type NextItem,
  type PlannedItem,
} from '../domain/batch.ts';
import type {
  EndMeanwhileInput,
  EndOfItemInput,
  PlannedBatch,
  PrepareBatchInput,
  ReadBatchItemsInput,
} from '../domain/contract-batch.ts';
import { TypedError } from '../domain/failures.ts';
import { runIdProblem } from '../domain/ids.ts';
import { isRecord } from '../domain/is-record.ts';
import { canonicalJson, type RunReference } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { itemsFrom, jsonBytes, MAX_ITEM_BYTES, storePages } from './item-pages.ts';
import { withHeartbeat } from './with-heartbeat.ts';

const MAX_ITEMS = 100_000;
/** Runs that are read at the same time. */
const PARALLEL = 16;

/** Validates the input of a batch, and names the run of each item: the same item always has the same. */
export async function prepareBatch(
  deps: ActivityDependencies,
  { batch, input }: PrepareBatchInput,
): Promise<PlannedBatch> {
  const problem = runIdProblem(batch);
  if (problem !== undefined) throw invalid(problem);
  checkInput(input);
  return withHeartbeat(async () => {
    const given = input.stored_items === undefined ? input.items : await deps.chains.getJson(input.stored_items);
    if (!Array.isArray(given) || given.length === 0)
      throw invalid('The input needs `items`: a list of inputs of runs, such as [{"repo": "...", "prompt": "..."}].');
    if (given.length > MAX_ITEMS)
      throw invalid(`A batch has at most ${MAX_ITEMS} items; this one has ${given.length}.`);
    const items = planItems(batch, given as readonly unknown[], input.config);
    const find = await deps.indexRuns(runsOfBatch(batch));
    const stored = await pLimit(PARALLEL).map(items, async (item): Promise<NextItem> => {
      const before = await find(item.run);
      const ended = keptEnd(before, input.retry_failed === true);
      return ended === undefined ? { ...item, ...(before === undefined ? {} : { begun: true }) } : { ...item, ended };
    });
    return { list: await storePages(deps.chains, stored), total: items.length, started_at: Date.now() };
  });
}

function checkInput(input: unknown): asserts input is BatchInput {
  if (!isRecord(input)) throw invalid('The input of a batch must be an object with `items`.');
  const known = ['items', 'stored_items', 'concurrency', 'max_cost', 'config', 'retry_failed', 'grant'];
  const unknown = Object.keys(input).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`\`${truncate(unknown, 50)}\` is not known: a batch has ${known.slice(0, -1).join(', ')}.`);
  const { concurrency, max_cost } = input;
  if (concurrency !== undefined && !isCount(concurrency))
    throw invalid(`\`concurrency\` must be a whole number from 1 to ${MAX_CONCURRENCY}.`);
  if (max_cost !== undefined && !(typeof max_cost === 'number' && max_cost > 0))
    throw invalid('`max_cost` must be a number of USD above 0.');
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_CONCURRENCY;
}

function planItems(batch: string, given: readonly unknown[], config: unknown): PlannedItem[] {
  const taken = new Map<string, number>();
  return given.map((value, index) => {
    if (!isRecord(value)) throw invalid(`Item ${index + 1} must be an object: the input of a run.`);
    const { id, ...rest } = value as BatchItem & Record<string, unknown>;
    const input = config === undefined || rest.config !== undefined ? rest : { ...rest, config };
    const bytes = jsonBytes(input);
    if (bytes > MAX_ITEM_BYTES)
      throw invalid(
        `Item ${index + 1} has ${bytes} bytes of JSON: an item may have ${MAX_ITEM_BYTES}. Give what is large as a file, with rlm batch -i name=@{{path}}.`,
      );
    const name = nameOf(id, input);
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    const run = `${runsOfBatch(batch)}${name}${count === 1 ? '' : `-${count}`}`;
    const problem = runIdProblem(run);
    if (problem !== undefined) throw invalid(`Item ${index + 1}: ${problem}`);
    const label = id ?? `item ${index + 1}`;
    return 'signature' in input
      ? { run, name: label, type: 'analyze', input }
      : { run, name: label, type: 'investigate', input };
  });
}

/** An item that is changed is another: it has another run. */
function nameOf(id: unknown, input: Readonly<Record<string, unknown>>): string {
  const { grant: _, grant_for: __, ...rest } = input;
  const hash = createHash('sha256').update(canonicalJson(rest)).digest('hex');
  return typeof id === 'string' ? `${id}.${hash.slice(0, 6)}` : hash.slice(0, 10);
}

/** Ends that are kept unless what failed is to run again. One that was cancelled runs again. */
const KEPT: ReadonlySet<string> = new Set(['failed', 'timed_out']);

/** How a run ended that need not run again; undefined for any other. */
function keptEnd(run: RunReference | undefined, retryFailed: boolean): ItemEnd | undefined {
  const outcome = run?.outcome;
  const isKept =
    outcome !== undefined && (outcome.status === 'completed' || (!retryFailed && KEPT.has(outcome.status)));
  return isKept ? { status: outcome.status, cost: outcome.usage.cost } : undefined;
}

/** A page of items. */
export async function readBatchItems(
  { chains }: ActivityDependencies,
  { list, from }: ReadBatchItemsInput,
): Promise<NextItem[]> {
  return withHeartbeat(async () => [...(await itemsFrom(chains, list, from))]);
}

/** How a run ended since its batch started, where it need not run again. */
export async function endMeanwhile(
  deps: ActivityDependencies,
  { run, retry_failed }: EndMeanwhileInput,
): Promise<ItemEnd | null> {
  return keptEnd(await deps.findRun(run), retry_failed) ?? null;
}

/** How the run of an item ended that gave no outcome to its batch. */
export async function endOfItem(
  deps: ActivityDependencies,
  { execution, run, error }: EndOfItemInput,
): Promise<ItemEnd> {
  const outcome = (await deps.findRun(run))?.outcome;
  if (outcome !== undefined) return { status: outcome.status, cost: outcome.usage.cost };
  const failure: ItemFailure = { error: truncate(error, 1000) };
  await deps.blobs.setReference(itemFailureName(execution, run), failure);
  return { status: 'failed', cost: 0 };
}

function invalid(message: string): TypedError {
  return new TypedError('Input.Invalid', message);
}
