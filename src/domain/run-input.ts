import type { AnalyzeInput, InvestigateInput } from './contract.ts';
import { TypedError } from './failures.ts';
import type { StoredInput } from './inputs.ts';
import { isRecord } from './is-record.ts';
import { nearestName } from './nearest-name.ts';
import type { ToolDescription } from './tools.ts';

/** The input of a run's workflow as it came: whoever reaches Temporal wrote it. */
export type GivenRun =
  | { readonly type: 'investigate'; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly input: AnalyzeInput };

/** Fields that name blobs. Only a client that has stored them for this very run may set them. */
export const BLOB_FIELDS = ['bundle', 'stored_inputs', 'tools'] as const;

const KINDS = {
  text: { is: (value: unknown) => typeof value === 'string' && value.trim() !== '', what: 'a text that is not empty' },
  section: { is: isRecord, what: 'an object' },
  blob: {
    is: (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value),
    what: 'the hash of a blob: rlm and programs set it, nobody types it',
  },
  grant: {
    is: (value: unknown) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
    what: 'the hash of a grant: rlm and programs set it, nobody types it',
  },
  /** Looked at by who reads it. */
  any: { is: () => true, what: 'anything' },
} as const;

type Kind = keyof typeof KINDS;

const FIELDS: Readonly<Record<GivenRun['type'], Readonly<Record<string, Kind>>>> = {
  investigate: {
    repo: 'text',
    prompt: 'text',
    branch: 'text',
    commit: 'text',
    config: 'section',
    bundle: 'blob',
    grant: 'grant',
  },
  analyze: {
    signature: 'any',
    instructions: 'text',
    inputs: 'section',
    stored_inputs: 'blob',
    tools: 'blob',
    config: 'section',
    grant: 'grant',
  },
};

const EXAMPLES = {
  investigate: '{"repo": "https://github.com/owner/name", "prompt": "Find the bug"}',
  analyze: '{"signature": "text -> summary", "inputs": {"text": "..."}}',
};

/** What a run cannot do without, and what that is. */
const NEEDED: Readonly<Record<GivenRun['type'], Readonly<Record<string, string>>>> = {
  investigate: { repo: 'the URL or folder of a git repository', prompt: 'what to do, in words' },
  analyze: {
    signature: 'what is given and what is wanted, such as "documents: list[str], question -> answer: str"',
  },
};

/**
 * Whether every field is one that there is, and of its type. What the fields say is checked by who reads them.
 *
 * @throws TypedError `Input.Invalid` that names the field
 */
export function checkRunInput({ type, input }: GivenRun): void {
  const given: unknown = input;
  if (!isRecord(given)) throw invalid(`The input of ${type} must be an object such as ${EXAMPLES[type]}.`);
  const fields = FIELDS[type];
  for (const [name, what] of Object.entries(NEEDED[type])) {
    const value = given[name];
    if (value === undefined || value === null || (typeof value === 'string' && value.trim() === ''))
      throw invalid(`The input needs \`${name}\`: ${what}.`);
  }
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (kind === undefined) throw invalid(unknownField(name, type));
    if (!KINDS[kind].is(value))
      throw invalid(`\`${name}\` of the input must be ${KINDS[kind].what}; leave it out for its default.`);
  }
  if (given['bundle'] !== undefined && given['commit'] === undefined)
    throw invalid('`bundle` of the input needs `commit` beside it: the commit that the run begins with.');
  if (given['inputs'] !== undefined && given['stored_inputs'] !== undefined)
    throw invalid('The input has both `inputs` and `stored_inputs`: leave one of them out.');
}

/**
 * What a client has stored for an analysis.
 *
 * @throws TypedError `Input.Invalid` where a client of ours has not stored it
 */
export function asStoredInputs(stored: unknown): readonly StoredInput[] {
  const isStored = (each: unknown): boolean =>
    isRecord(each) &&
    typeof each['name'] === 'string' &&
    typeof each['format'] === 'string' &&
    KINDS.blob.is(each['ref']) &&
    typeof each['size'] === 'number' &&
    isRecord(each['summary']);
  if (Array.isArray(stored) && stored.every(isStored)) return stored as readonly StoredInput[];
  throw invalid('`stored_inputs` of the input names a blob that is no list of variables: give `inputs` instead.');
}

/** The same for tools. @throws TypedError `Input.Invalid` */
export function asToolDescriptions(stored: unknown): readonly ToolDescription[] {
  const isTool = (each: unknown): boolean =>
    isRecord(each) &&
    typeof each['name'] === 'string' &&
    typeof each['doc'] === 'string' &&
    Array.isArray(each['parameters']) &&
    typeof each['timeout'] === 'number' &&
    typeof each['attempts'] === 'number';
  if (Array.isArray(stored) && stored.every(isTool)) return stored as readonly ToolDescription[];
  throw invalid('`tools` of the input names a blob that is no list of tools: leave it out for those of the worker.');
}

function unknownField(name: string, type: GivenRun['type']): string {
  const names = Object.keys(FIELDS[type]);
  const nearest = nearestName(name, names);
  const meant = nearest === undefined ? `It may have ${names.join(', ')}.` : `Did you mean \`${nearest}\`?`;
  return `The input of ${type} has no field \`${name.slice(0, 80)}\`. ${meant}`;
}

function invalid(message: string): TypedError {
  return new TypedError('Input.Invalid', message);
}
