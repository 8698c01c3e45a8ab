import type { StoredInput } from '../domain/inputs.ts';
import { TypedError } from '../domain/failures.ts';
import { MAX_BATCH_ITEMS, MAX_CALL_VARIABLES, MAX_HANDED_VALUES, type CallEvent } from '../domain/kernel-protocol.ts';
import { isQuery, type CallRequest, type PendingCall } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** Characters of a call that a person is shown. */
const PREVIEW = 200;

/**
 * The call as it is reported to the workflow, its content stored. The same call always gives the same.
 *
 * @param options.preview - whether a person may be asked about it
 */
export async function pendingCall(
  deps: ActivityDependencies,
  event: CallEvent,
  { preview = false }: { readonly preview?: boolean } = {},
): Promise<PendingCall> {
  const { call, function: name } = event;
  const { request, batch } = isQuery(name) ? await query(deps, event) : tool(event);
  const stored = await deps.chains.putJson(request);
  return {
    call,
    function: name,
    request: stored,
    ...(batch === undefined ? {} : { batch }),
    ...(name.startsWith('rlm_query') ? { heads: headsOf(request.list) } : {}),
    ...(preview ? { preview: previewOf(event) } : {}),
  };
}

/** What Temporal's UI shows of sub-agents. */
const MAX_HEADS = 20;
const MAX_HEAD_CHARACTERS = 100;

function headsOf(tasks: readonly string[]): string[] {
  const first = tasks.slice(0, MAX_HEADS);
  return first.map((task) => truncate(task.slice(0, 1000).replaceAll(/\s+/g, ' ').trim(), MAX_HEAD_CHARACTERS));
}

function previewOf({ arguments: given }: CallEvent): string {
  const text = Object.entries(given)
    .map(([name, value]) => `${name}=${stringifyJson(value)}`)
    .join(', ');
  return truncate(text, PREVIEW);
}

interface StoredRequest {
  readonly request: CallRequest;
  readonly batch?: number;
}

async function query(
  deps: ActivityDependencies,
  { function: name, hash, arguments: given }: CallEvent,
): Promise<StoredRequest> {
  const { variables, ...parameters } = given;
  const [value] = Object.values(parameters);
  const isBatch = Array.isArray(value);
  const list = checkedTexts(name, isBatch ? value : [value]);
  assertBounded(list.length, variables);
  const handed = await handedVariables(deps, variables, isBatch ? list.length : undefined);
  const request = { function: name, hash, list, ...(handed === undefined ? {} : { variables: handed }) };
  return { request, ...(isBatch ? { batch: list.length } : {}) };
}

function tool({ function: name, hash, arguments: given }: CallEvent): StoredRequest {
  return { request: { function: name, hash, list: [], arguments: given } };
}

/**
 * The kernel hands over nothing but text; one that has been tampered with may. A provider would take an object for a part of a
 * message, such as an image that it fetches or a file that it keeps for the user.
 *
 * @throws TypedError `Sandbox.Diverged`
 */
function checkedTexts(name: string, values: readonly unknown[]): readonly string[] {
  if (values.every((value) => typeof value === 'string')) return values;
  throw new TypedError(
    'Sandbox.Diverged',
    `A call of ${name} with something else than text is none that a kernel lets through.`,
  );
}

/** The kernel refuses more itself; one that has been tampered with may not. */
function assertBounded(count: number, variables: unknown): void {
  const handed = typeof variables === 'object' && variables !== null ? Object.keys(variables).length : 0;
  if (count <= MAX_BATCH_ITEMS && handed <= MAX_CALL_VARIABLES && handed * count <= MAX_HANDED_VALUES) return;
  throw new TypedError(
    'Sandbox.Diverged',
    `A call of ${count} tasks with ${handed} variables each is none that a kernel lets through.`,
  );
}

/** @param count - tasks of a batch, which come with a list of values for each name. */
async function handedVariables(
  deps: ActivityDependencies,
  variables: unknown,
  count: number | undefined,
): Promise<readonly (readonly StoredInput[])[] | undefined> {
  if (typeof variables !== 'object' || variables === null) return undefined;
  const named = Object.entries(variables);
  if (named.length === 0) return undefined;
  if (count === undefined) return [await storeAll(deps, named)];
  const stored: StoredInput[][] = [];
  for (let index = 0; index < count; index += 1) {
    const own = named.map(([name, values]): Named => [name, Array.isArray(values) ? values[index] : undefined]);
    // oxlint-disable-next-line no-await-in-loop -- parts may be large: one after another
    stored.push(await storeAll(deps, own));
  }
  return stored;
}

type Named = readonly [name: string, value: unknown];

function storeAll(deps: ActivityDependencies, named: readonly Named[]): Promise<StoredInput[]> {
  return Promise.all(named.map(([name, value]) => store(deps, name, value)));
}

async function store(deps: ActivityDependencies, name: string, value: unknown): Promise<StoredInput> {
  const isText = typeof value === 'string';
  // Keys stay in their order: they are a dict's.
  const bytes = Buffer.from(isText ? value : stringifyJson(value), 'utf8');
  const ref = await deps.blobs.put(bytes);
  return { name, format: isText ? 'text' : 'json', ref, size: bytes.length, summary: summarizeValue(value) };
}
