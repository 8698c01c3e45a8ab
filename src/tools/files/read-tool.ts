import { toJSONSchema } from 'zod';
import { safeParseAsync, type $ZodIssue, type $ZodType } from 'zod/v4/core';
import { TypedError } from '../../domain/failures.ts';
import { isRecord } from '../../domain/is-record.ts';
import { docstring, parametersOf, type Parameters } from '../parameters.ts';
import type { ToolDefinition } from '../tool.ts';
import { DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT, type LoadedTool } from '../tools.ts';

/** Seconds a timer can wait. */
const MAX_TIMEOUT_SECONDS = 2_147_483;
const MAX_ISSUES = 20;

type Invalid = (what: string) => TypedError;

/**
 * A tool of what a module exports.
 *
 * @param invalid - makes the error, of the end of a sentence
 */
export function readTool(name: string, place: string, value: unknown, invalid: Invalid): LoadedTool {
  const definition = checkedDefinition(value, invalid);
  const { description, parameters: schema, timeout = DEFAULT_TIMEOUT, attempts = DEFAULT_ATTEMPTS } = definition;
  const parameters = parametersOf(jsonSchemaOf(schema, invalid));
  return {
    name,
    place,
    description: { doc: docstring([description, parameters.doc]), parameters: parameters.list, timeout, attempts },
    check: (args) => checkedArguments(schema, parameters, args),
    run: async (args, signal) => definition.run(args, { signal }),
  };
}

function checkedDefinition(value: unknown, invalid: Invalid): ToolDefinition {
  if (typeof value === 'function') {
    throw invalid('is a bare function; write `tool({ description, parameters: z.object({ ... }), run })` around it');
  }
  if (!isRecord(value)) throw invalid('is no tool; export nothing else from this file');
  const { description, parameters, timeout, attempts, run } = value;
  if (typeof description !== 'string' || description.trim() === '') {
    throw invalid('has no description; the model reads it to know what the tool does');
  }
  if (typeof run !== 'function') throw invalid('has no run, the function that does the work');
  if (parameters === undefined) throw invalid('has no parameters; write z.object({}) where it takes none');
  if (!isSchema(parameters)) {
    const isOld = isRecord(parameters) && '_def' in parameters;
    throw invalid(
      isOld ? 'has a schema of zod 3; use zod 4' : 'has parameters that are no zod schema; write z.object({ ... })',
    );
  }
  if (timeout !== undefined && !isWithin(timeout, MAX_TIMEOUT_SECONDS)) {
    throw invalid(`has a timeout that is no number of seconds between 0 and ${MAX_TIMEOUT_SECONDS}`);
  }
  if (attempts !== undefined && (!isWithin(attempts, 1000) || !Number.isInteger(attempts))) {
    throw invalid('has attempts that are no whole number between 1 and 1000');
  }
  // As it is, so that `run` may use `this`.
  return value as unknown as ToolDefinition;
}

function isSchema(value: unknown): value is $ZodType {
  return isRecord(value) && '_zod' in value;
}

function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value > 0 && value <= most;
}

/** What JSON cannot bring, by the name of its schema, and what can stand in its place. */
const NOT_JSON: Readonly<Record<string, string>> = {
  date: 'z.coerce.date() or z.iso.datetime()',
  bigint: 'z.coerce.bigint() or z.int()',
  map: 'z.record()',
  set: 'z.array()',
  symbol: 'z.string()',
  function: 'z.string()',
  undefined: '.optional()',
  void: '.optional()',
  nan: 'z.number()',
  file: 'z.string()',
  promise: 'what it resolves to',
};

function jsonSchemaOf(schema: $ZodType, invalid: Invalid): Readonly<Record<string, unknown>> {
  const problems: string[] = [];
  let found: Readonly<Record<string, unknown>>;
  try {
    found = toJSONSchema(schema, {
      io: 'input',
      unrepresentable: 'any',
      override({ zodSchema, jsonSchema, path }) {
        // oxlint-disable-next-line no-underscore-dangle -- where all kinds of zod keep it
        const { type, coerce } = zodSchema._zod.def as { readonly type: string; readonly coerce?: boolean };
        // What else an object holds is taken away, unless it says otherwise.
        if (type === 'object') jsonSchema.additionalProperties ??= false;
        const instead = NOT_JSON[type];
        if (instead === undefined) return;
        if (coerce !== true) problems.push(`z.${type}()${placeOf(path)}, which JSON does not have; use ${instead}`);
        else if (type === 'date') jsonSchema.type = 'string';
        else if (type === 'bigint') jsonSchema.type = 'integer';
      },
    });
  } catch (error) {
    throw invalid(`has parameters of which no JSON Schema can be made: ${String(error)}`);
  }
  const [problem] = problems;
  if (problem !== undefined) throw invalid(`has parameters with a ${problem}`);
  if (found['type'] !== 'object' || !isRecord(found['properties'])) {
    throw invalid('has parameters that are no object with named properties; write z.object({ ... })');
  }
  return found;
}

function placeOf(path: readonly (string | number)[]): string {
  const names = path.filter((_, index) => path[index - 1] === 'properties');
  return names.length === 0 ? '' : ` at ${names.join('.')}`;
}

async function checkedArguments(
  schema: $ZodType,
  parameters: Parameters,
  args: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const result = await safeParseAsync(schema, parameters.translate(args));
  if (result.success) return result.data;
  const { issues } = result.error;
  const lines = issues.slice(0, MAX_ISSUES).map((issue) => describe(issue, parameters));
  if (issues.length > MAX_ISSUES) lines.push(`... and ${issues.length - MAX_ISSUES} more`);
  throw new TypedError('Input.Invalid', lines.join('\n'));
}

function describe({ path, message }: $ZodIssue, { nameOf }: Pick<Parameters, 'nameOf'>): string {
  const place = path.map((step, index) => {
    if (index === 0) return nameOf(String(step));
    return typeof step === 'number' ? `[${step}]` : `.${String(step)}`;
  });
  const problem = message.replace(/, received undefined$/, ', and it is missing');
  return place.length === 0 ? problem : `${place.join('')}: ${problem}`;
}
