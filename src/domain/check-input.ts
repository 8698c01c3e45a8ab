import { shown } from './check-message.ts';
import { isRecord } from './is-record.ts';
import { nearestName } from './nearest-name.ts';

/** A field of a workflow's input, for who types it. */
interface InputField {
  readonly type: 'text' | 'object' | 'any';
  readonly what: string;
  /** What it is when it is left out; absent where it is required. */
  readonly default?: string;
  /** Clients set it; nobody types it. */
  readonly internal?: true;
}

const CONFIG: InputField = {
  type: 'object',
  what: 'settings as in config.yaml',
  default: "the worker's own configuration",
};
const GRANT: InputField = { type: 'text', what: 'set by rlm', default: 'none', internal: true };
const FORK: InputField = {
  type: 'object',
  what: 'the run whose work it takes up: {run, at?, agent?, message?}',
  default: 'none',
};

const FROM: InputField = { type: 'text', what: 'set by rlm retry', default: 'none', internal: true };

const INPUTS: Readonly<Record<'investigate' | 'analyze', Readonly<Record<string, InputField>>>> = {
  investigate: {
    repo: { type: 'text', what: 'the URL or folder of a git repository' },
    prompt: { type: 'text', what: 'what to do, in words' },
    branch: { type: 'text', what: 'a branch or tag', default: "the repository's default branch" },
    commit: { type: 'text', what: 'the SHA of a commit', default: 'the newest of the branch' },
    config: CONFIG,
    folder: { type: 'text', what: 'a folder of the repository that the prompt is about', default: 'all of it' },
    fork: FORK,
    only_if_changed: { type: 'text', what: 'the name of the schedule that starts it', default: 'none' },
    host: { type: 'text', what: 'the host whose worker has the folder', default: 'any' },
    bundle: { type: 'text', what: 'set by rlm', default: 'none', internal: true },
    from: FROM,
    grant: GRANT,
    grant_for: GRANT,
  },
  analyze: {
    signature: { type: 'any', what: 'such as "text: str, question -> answer: str"' },
    inputs: { type: 'object', what: 'the values of the inputs by name', default: 'none' },
    instructions: { type: 'text', what: 'what to do, beside the signature', default: 'none' },
    config: CONFIG,
    stored_inputs: { type: 'text', what: 'set by rlm', default: 'none', internal: true },
    tools: { type: 'text', what: 'set by rlm', default: "the worker's", internal: true },
    fork: FORK,
    from: FROM,
    grant: GRANT,
    grant_for: GRANT,
  },
};

/** What is wrong with the form of an input that somebody typed, a sentence; undefined when nothing is. */
export function inputProblem(type: 'investigate' | 'analyze', input: unknown): string | undefined {
  const fields = INPUTS[type];
  if (input === undefined) return `The input of ${type} is missing: it must be an object. ${described(fields)}`;
  if (!isRecord(input)) return `The input of ${type} must be an object, not ${shown(input)}. ${described(fields)}`;
  for (const [name, value] of Object.entries(input)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) return unknownField(type, name, fields);
    const isRequired = field.default === undefined;
    if ((value === null || value === undefined) && !isRequired) continue;
    if (!isOfType(value, field.type))
      return `\`${name}\` must be ${field.type === 'text' ? 'text' : 'an object'}: ${field.what}; it is ${shown(value)}.${
        isRequired ? '' : ` Left out, it is ${field.default}.`
      }`;
  }
  // What it takes up says the rest.
  if (isRecord(input['fork'])) return undefined;
  const missing = Object.entries(fields).find(([name, field]) => field.default === undefined && isEmpty(input[name]));
  if (missing === undefined) return undefined;
  return `The input needs \`${missing[0]}\`: ${missing[1].what}. ${described(fields)}`;
}

function unknownField(type: string, name: string, fields: Readonly<Record<string, InputField>>): string {
  const nearest = nearestName(name, namesOf(fields));
  const field = nearest === undefined ? undefined : fields[nearest];
  const advice =
    field === undefined
      ? described(fields)
      : `Did you mean \`${nearest}\`: ${field.what} (${field.default === undefined ? 'required' : `default: ${field.default}`})?`;
  return `The input of ${type} has no field ${shown(name)}. ${advice}`;
}

function described(fields: Readonly<Record<string, InputField>>): string {
  const each = namesOf(fields).map((name) => {
    const standard = fields[name]?.default;
    return `${name} (${standard === undefined ? 'required' : `default: ${standard}`})`;
  });
  return `Its fields: ${each.join(', ')}.`;
}

function namesOf(fields: Readonly<Record<string, InputField>>): string[] {
  return Object.keys(fields).filter((name) => fields[name]?.internal !== true);
}

function isOfType(value: unknown, type: InputField['type']): boolean {
  if (type === 'text') return typeof value === 'string';
  return type === 'any' || isRecord(value);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}
