import { inputProblem } from './check-input.ts';
import type { AnalyzeInput, InvestigateInput } from './contract.ts';
import { TypedError } from './failures.ts';
import type { StoredInput } from './inputs.ts';
import { isRecord } from './is-record.ts';
import type { ToolDescription } from './tools.ts';

/** The input of a run's workflow as it came: anybody who reaches Temporal wrote it. */
export type GivenRun =
  | { readonly type: 'investigate'; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly input: AnalyzeInput };

/** Fields that name blobs. Only a client that has stored them for this very run may set them. */
export const BLOB_FIELDS = ['bundle', 'stored_inputs', 'tools'] as const;

const HASH = /^[A-Za-z0-9_-]{43}$/;
const GRANT = /^[0-9a-f]{64}$/;
const EXECUTION = /^[0-9a-f-]{36}$/;
const FOLDER = /^[^/\0\n][^\0\n]*$/;

/**
 * What is wrong with an input, also where it did not come through the workflow, which looks at its form first. What the
 * fields say is checked by who reads them.
 *
 * @throws TypedError `Input.Invalid` that names the field
 */
export function checkRunInput({ type, input }: GivenRun): void {
  const problem = inputProblem(type, input) ?? clientsProblem({ ...input });
  if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
}

/** The same for the fields that clients set. */
function clientsProblem(given: Readonly<Record<string, unknown>>): string | undefined {
  const isSet = (name: string): boolean => given[name] !== undefined && given[name] !== null;
  const set = [...BLOB_FIELDS, 'grant'].filter(isSet);
  const wrong = set.find((name) => !(name === 'grant' ? GRANT : HASH).test(String(given[name])));
  if (wrong !== undefined) return `\`${wrong}\` of the input is no hash: rlm and programs set it, nobody types it.`;
  if (isSet('from') && !EXECUTION.test(String(given['from'])))
    return '`from` of the input is not the id of an execution of this run: rlm retry sets it, nobody types it.';
  const folder = isSet('folder') ? String(given['folder']) : undefined;
  if (folder !== undefined && (!FOLDER.test(folder) || folder.split('/').includes('..')))
    return '`folder` of the input must be a path inside the repository, such as src/parser.';
  if (isSet('bundle') && !isSet('commit'))
    return '`bundle` of the input needs `commit` beside it: the commit that the run begins with.';
  if (isSet('inputs') && isSet('stored_inputs'))
    return 'The input has both `inputs` and `stored_inputs`: leave one of them out.';
  return undefined;
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
    typeof each['ref'] === 'string' &&
    HASH.test(each['ref']) &&
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

function invalid(message: string): TypedError {
  return new TypedError('Input.Invalid', message);
}
