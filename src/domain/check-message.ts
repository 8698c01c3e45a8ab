import { isAgentId } from './ids.ts';
import { isRecord } from './is-record.ts';
import { nearestName } from './nearest-name.ts';

/** What a field of a message must be: a phrase for a person, and whether a value is that. */
interface Field {
  readonly what: string;
  readonly is: (value: unknown) => boolean;
  readonly required?: true;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => isAmount(value) && Number.isInteger(value);
const isAmount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isOptional = (of: (value: unknown) => boolean) => (value: unknown) => value === undefined || of(value);

const TEXT: Field = { what: 'text', is: isText };
const COUNT: Field = { what: 'a whole number of at least 0', is: isCount };
const USD: Field = { what: 'a number of USD of at least 0', is: isAmount };
const required = (field: Field): Field => ({ ...field, required: true });

const isAmounts = (value: unknown): boolean =>
  isRecord(value) && ['sandboxes', 'llm_calls', 'model_calls'].every((name) => isOptional(isCount)(value[name]));

const AGENT: Field = {
  what: 'the id of an agent, such as 0 or 0.1',
  is: (value) => typeof value === 'string' && isAgentId(value),
};
/** It travels in histories. */
const MESSAGE: Field = {
  what: 'text that says something, of at most 20,000 characters',
  is: (value) => typeof value === 'string' && value.trim() !== '' && value.length <= 20_000,
};
const BOOLEAN: Field = { what: 'true or false', is: (value) => typeof value === 'boolean' };

const CONTROL = { id: TEXT, reason: TEXT, agent: AGENT };
const DECISION = { id: TEXT, question: TEXT, reason: TEXT };
const LIMITS = { max_sandboxes: COUNT, max_llm_calls: COUNT, max_cost: USD, global_timeout: COUNT };
const AMOUNTS = { sandboxes: COUNT, llm_calls: COUNT, model_calls: COUNT };

/** The fields of every message that a workflow takes, by its name on the wire. */
const MESSAGES: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  pause: CONTROL,
  resume: CONTROL,
  setBudget: { id: TEXT, grant: TEXT, ...LIMITS },
  steer: { id: TEXT, agent: AGENT, message: required(MESSAGE) },
  approve: DECISION,
  reject: DECISION,
  question: { kind: required(TEXT), id: TEXT, question: { what: 'a question', is: isRecord } },
  decision: { id: required(TEXT), approved: required(BOOLEAN), reason: TEXT },
  blocked: { agent: required(TEXT), failure: required(TEXT), reason: required(TEXT) },
  reserve: { id: required(TEXT), from: required(TEXT), ...AMOUNTS },
  granted: {
    id: required(TEXT),
    ...AMOUNTS,
    limits: required({ what: 'the limits', is: isRecord }),
  },
  settle: {
    id: required(TEXT),
    from: required(TEXT),
    unused: { what: 'numbers of sandboxes, llm_calls and model_calls', is: isAmounts },
    paid: {
      what: '{model_calls, usd}',
      is: (value) => isRecord(value) && isAmount(value['model_calls']) && isAmount(value['usd']),
    },
    withdraw: TEXT,
  },
};

/** What is wrong with a message, a phrase for a person; undefined for one that can be applied. A message may be left out. */
export function messageProblem(name: string, message: unknown): string | undefined {
  const fields = MESSAGES[name];
  if (fields === undefined) return undefined;
  const isNone = message === undefined || message === null;
  if (!isNone && !isRecord(message))
    return `it must be an object with the fields ${listed(fields)}, not ${kindOf(message)}`;
  const given: Readonly<Record<string, unknown>> = isNone ? {} : message;
  for (const [field, value] of Object.entries(given)) {
    const known = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (known === undefined) return unknownField(field, fields);
    if (value !== undefined && !known.is(value)) return `${field} must be ${known.what}, not ${shown(value)}`;
  }
  const missing = Object.entries(fields).find(
    ([field, known]) => known.required === true && given[field] === undefined,
  );
  return missing === undefined ? undefined : `${missing[0]} is missing: ${missing[1].what}`;
}

function unknownField(field: string, fields: Readonly<Record<string, Field>>): string {
  const nearest = nearestName(field, Object.keys(fields));
  const advice = nearest === undefined ? `its fields are ${listed(fields)}` : `did you mean ${nearest}?`;
  return `it has no field "${field.slice(0, 80)}"; ${advice}`;
}

function listed(fields: Readonly<Record<string, Field>>): string {
  return Object.keys(fields).join(', ');
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'a list' : shown(value);
}

/** A wrong value as a message quotes it. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
