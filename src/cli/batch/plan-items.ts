import { prepareInput } from '../../client/prepare-input.ts';
import { portableConfig } from '../../client/run-arguments.ts';
import { withGrant } from '../../client/start-run.ts';
import type { WorkflowStart } from '../../client/temporal-runs.ts';
import type { BatchItem } from '../../domain/batch.ts';
import type { RunConfig } from '../../domain/config.ts';
import type { AnalyzeInput, InvestigateInput } from '../../domain/contract.ts';
import { analysisSignature } from '../../domain/signature/analysis-signature.ts';
import { errorMessage } from '../../domain/error-message.ts';
import { parseJson } from '../../domain/ordered-json.ts';
import type { FieldType, Signature } from '../../domain/signature/field-type.ts';
import { renderSignature } from '../../domain/signature/render.ts';
import { readInputs, storeValues } from '../../inputs/index.ts';
import { parseRepositoryName } from '../../sandbox/repository/repository-name.ts';
import { createChains } from '../../storage/chain.ts';
import { CommandError } from '../report-error.ts';
import type { Session } from '../session.ts';
import { readInstructions, signatureForm, type SignatureOptions } from '../signature-form.ts';
import { fillTemplate, type FileItem } from './read-items.ts';

/** What the options say of every item. */
export interface ItemOptions {
  readonly repo?: string;
  readonly prompt?: string;
  readonly branch?: string;
  readonly signature?: string;
  readonly instructions?: string;
  readonly input?: readonly string[];
  readonly itemMaxCost?: number;
}

interface PlanOptions {
  /** Of the item at this position. */
  readonly configOf: (index: number) => RunConfig;
  /** Id of the batch, or the schedule, whose runs they are: the grant of this user is for its runs. */
  readonly owner: string;
  /** Whether a folder is bundled now; else its path travels. */
  readonly bundle: boolean;
  /** Fields of an input that are known at an occurrence only. */
  readonly extra?: (input: Pick<InvestigateInput, 'repo' | 'branch'>) => Promise<object>;
  /** Told how many are planned, from time to time. */
  readonly onProgress?: (planned: number) => void;
}

/** Items that are planned at the same time: each waits for the disk, or the bucket, several times. */
const PARALLEL = 16;

/**
 * The inputs of the runs. A folder is bundled, and a branch resolved, once for all items that name it.
 */
export async function planItems(
  session: Session,
  items: readonly FileItem[],
  options: ItemOptions,
  { configOf, owner, bundle, extra, onProgress }: PlanOptions,
): Promise<BatchItem[]> {
  const plan =
    options.signature === undefined
      ? repositoryItems(session, options, bundle)
      : analysisItems(session, options, await signatureOf(session, { ...options, signature: options.signature }));
  const planOne = async (item: FileItem, index: number): Promise<BatchItem> => {
    const start = await plan({ item, index, config: withItemLimit(configOf(index), options) });
    const more = await extra?.(start.type === 'investigate' ? start.input : {});
    const { input } = await withGrant(session, owner, {
      ...start,
      input: { ...start.input, ...more, grant_for: owner },
    });
    return { ...idOf(item, index), ...input };
  };
  const planned: BatchItem[] = [];
  for (let from = 0; from < items.length; from += PARALLEL) {
    const part = items.slice(from, from + PARALLEL).map((item, at) => planOne(item, from + at));
    // oxlint-disable-next-line no-await-in-loop -- what follows a fault is not planned
    for (const outcome of await Promise.allSettled(part)) {
      // Of several faults the first in the file is told.
      if (outcome.status === 'rejected') throw outcome.reason;
      planned.push(outcome.value);
    }
    onProgress?.(planned.length);
  }
  return planned;
}

async function signatureOf(
  { cwd }: Session,
  { signature, instructions }: ItemOptions & SignatureOptions,
): Promise<Signature> {
  return analysisSignature(await signatureForm(cwd, { signature }), await readInstructions(cwd, instructions));
}

/** The configuration of an item's run. */
export function withItemLimit(config: RunConfig, { itemMaxCost }: ItemOptions): RunConfig {
  return itemMaxCost === undefined ? config : { ...config, rlm: { ...config.rlm, max_cost: itemMaxCost } };
}

/** The id of an item as reports and runs have it; nothing where it has none. */
export function idOf({ id }: FileItem, index: number): { readonly id?: string } {
  if (id === undefined || id === null || id === '') return {};
  const text = typeof id === 'number' ? String(id) : id;
  if (typeof text !== 'string') throw new CommandError(`The id of item ${index + 1} must be a text or a number.`);
  return { id: text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 80) };
}

type PlanItem = (item: {
  readonly item: FileItem;
  readonly index: number;
  readonly config: RunConfig;
}) => Promise<WorkflowStart>;

function repositoryItems(session: Session, options: ItemOptions, bundle: boolean): PlanItem {
  const prepared = new Map<string, ReturnType<typeof prepareInput>>();
  return async ({ item, index, config }) => {
    const text = (name: 'repo' | 'prompt' | 'branch' | 'commit'): string | undefined => {
      const own = item[name];
      if (typeof own === 'string' && own !== '') return own;
      const template = name === 'commit' ? undefined : options[name];
      return template === undefined ? undefined : fillTemplate(template, item, index);
    };
    const [repo, prompt, branch, commit] = [text('repo'), text('prompt'), text('branch'), text('commit')];
    if (repo === undefined)
      throw new CommandError(`Item ${index + 1} has no repository: give --repo, or a field repo; or -s for analyses.`);
    if (prompt === undefined) throw new CommandError(`Item ${index + 1} has no prompt: give -p, or a field prompt.`);
    const name = parseRepositoryName(repo, session.cwd);
    const at = { ...(branch === undefined ? {} : { branch }), ...(commit === undefined ? {} : { commit }) };
    if (!bundle) {
      const place = name.kind === 'url' ? name.url : name.path;
      return { type: 'investigate', input: { repo: place, prompt, ...at, config: portableConfig(config) } };
    }
    const key = JSON.stringify([name, at]);
    const known = prepared.get(key) ?? prepareInput(session, { repo, prompt, ...at }, name, config);
    prepared.set(key, known);
    const input: InvestigateInput = { ...(await known).input, prompt, config: portableConfig(config) };
    return { type: 'investigate', input };
  };
}

function analysisItems(session: Session, options: ItemOptions, signature: Signature): PlanItem {
  const chains = createChains(session.blobs);
  return async ({ item, index, config }) => {
    const stored = await storeItem(session, signature, { item, index, templates: options.input ?? [] });
    const input: AnalyzeInput = {
      signature: {
        signature: renderSignature(signature),
        ...(signature.instructions === undefined ? {} : { instructions: signature.instructions }),
      },
      stored_inputs: await chains.putJson(stored),
      config: { ...portableConfig(config), rlm: { ...config.rlm } },
    };
    return { type: 'analyze', input };
  };
}

async function storeItem(
  { blobs, cwd }: Session,
  signature: Signature,
  {
    item,
    index,
    templates,
  }: { readonly item: FileItem; readonly index: number; readonly templates: readonly string[] },
): Promise<unknown> {
  const stdin = (async function* nothing(): AsyncGenerator<Uint8Array> {})();
  const filled = templates.map((template) => ({ template, text: fillTemplate(template, item, index) }));
  // What a template says is a file is one; an item says what a value is, and never that it is to be read from a file.
  const read = filled.filter(({ template }) => !isValueOfItem(template)).map(({ text }) => text);
  const given = new Map(filled.filter(({ template }) => isValueOfItem(template)).map(({ text }) => splitAt(text)));
  const named = new Set(read.map((text) => splitAt(text)[0]));
  const inputs = signature.inputs.filter(({ name }) => !named.has(name));
  const values = Object.fromEntries(
    inputs.map(({ name, type }) => [name, valueOf(given.has(name) ? given.get(name) : item[name], type)]),
  );
  const missing = inputs.filter(({ name }) => !given.has(name) && item[name] === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(', ');
    throw new CommandError(
      `Item ${index + 1} has no field ${names}: it has ${Object.keys(item).join(', ')}. -i takes another, such as -i '${missing[0]?.name}={{${Object.keys(item)[0] ?? 'field'}}}'.`,
    );
  }
  const fromItem = await storeValues(blobs, { inputs }, values).catch((error: unknown) => {
    throw new CommandError(`Item ${index + 1}: ${errorMessage(error)}`);
  });
  const others = signature.inputs.filter(({ name }) => named.has(name));
  const fromTemplates = await readInputs(blobs, { inputs: others }, read, { cwd, stdin });
  const all = [...fromItem, ...fromTemplates.inputs];
  return signature.inputs.map(({ name }) => all.find((input) => input.name === name));
}

/** `text={{body}}`: a field of the item begins the value. */
function isValueOfItem(template: string): boolean {
  return splitAt(template)[1].startsWith('{{');
}

function splitAt(text: string): [name: string, value: string] {
  const mark = Math.max(0, text.indexOf('='));
  return [text.slice(0, mark).trim(), text.slice(mark + 1)];
}

/** A cell of a table is text: where another type is wanted, what it says in JSON. */
function valueOf(value: unknown, type: FieldType): unknown {
  if (typeof value !== 'string' || type.kind === 'str') return value;
  try {
    return parseJson(value);
  } catch {
    return value;
  }
}
