import { isRecord } from '../domain/is-record.ts';
import type { HostFunctionParameter } from '../domain/kernel-protocol.ts';
import { ANY, NONE, unionOf, type FieldType } from '../domain/signature/field-type.ts';
import { fromJsonSchema } from '../domain/signature/from-json-schema.ts';
import { nameProblem, RESERVED_NAMES } from '../domain/signature/names.ts';
import { renderType } from '../domain/signature/render.ts';
import { asIdentifier, freeName } from './tool-names.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** The parameters of a Python function, and what they are called where its arguments go. */
export interface Parameters {
  readonly list: readonly HostFunctionParameter[];
  /** What the docstring says of them, in Google's style; '' where there is nothing to say. */
  readonly doc: string;
  /** Arguments by the names that the tool knows. */
  readonly translate: (args: Readonly<Record<string, unknown>>) => Record<string, unknown>;
  /** What the model calls a property. */
  readonly nameOf: (property: string) => string;
}

interface Parameter {
  readonly property: string;
  readonly shown: HostFunctionParameter;
  readonly type: FieldType;
  readonly description: string;
}

const DOC_LIMIT = 10_000;

/** @param schema - JSON Schema of an object */
export function parametersOf(schema: JsonSchema): Parameters {
  const parameters = readParameters(schema);
  const byName = new Map(parameters.map((each) => [each.shown.name, each]));
  const byProperty = new Map(parameters.map((each) => [each.property, each]));
  // Python wants those without a default first.
  const list = parameters.map(({ shown }) => shown);
  const isRequired = (each: HostFunctionParameter): boolean => !('default' in each) && each.optional !== true;
  return {
    list: [...list.filter(isRequired), ...list.filter((each) => !isRequired(each))],
    doc: docOf(parameters),
    nameOf: (property) => byProperty.get(property)?.shown.name ?? property,
    translate: (args) =>
      Object.fromEntries(
        Object.entries(args).flatMap(([name, value]): readonly (readonly [string, unknown])[] => {
          const parameter = byName.get(name);
          if (parameter === undefined) return [[name, value]];
          // None stands for what is left out, unless the tool tells them apart.
          const isLeftOut = value === null && parameter.shown.optional === true && !takesNone(parameter.type);
          return isLeftOut ? [] : [[parameter.property, value]];
        }),
      ),
  };
}

/** A docstring: printable, and not without bounds. */
export function docstring(parts: readonly string[]): string {
  const text = parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join('\n\n')
    .toWellFormed()
    .replaceAll(/\r\n?/g, '\n')
    // oxlint-disable-next-line no-control-regex -- they are what is to be replaced
    .replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, ' ');
  return text.length > DOC_LIMIT ? `${text.slice(0, DOC_LIMIT)}...` : text;
}

/** As Python writes the type, objects with known keys as dicts. */
export function annotationOf(type: FieldType): string {
  return renderType(withoutShapes(type));
}

/** The type of a part of a schema; Any where it has no counterpart. */
export function typeOf(part: unknown, whole: JsonSchema): { type: FieldType; description: string } {
  if (!isRecord(part)) return { type: ANY, description: '' };
  const said = typeof part['description'] === 'string' ? part['description'] : '';
  const definitions = { $defs: whole['$defs'], definitions: whole['definitions'] };
  for (const schema of [part, { type: part['type'] }]) {
    try {
      const { type, description } = fromJsonSchema({ ...schema, ...definitions }, 'schema');
      return { type, description: schema === part ? (description ?? '') : said };
    } catch {
      // What no type says is left to the description, and to the tool.
    }
  }
  return { type: ANY, description: said };
}

function readParameters(schema: JsonSchema): readonly Parameter[] {
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const names = new Set<string>();
  return Object.entries(properties).map(([property, part]) => {
    const name = freeName(parameterName(property), (each) => names.has(each));
    names.add(name);
    const { type, description } = typeOf(part, schema);
    const preset = isRecord(part) ? part['default'] : undefined;
    const isOptional = !required.has(property) && preset === undefined;
    const shownType = isOptional && type.kind !== 'any' ? unionOf([type, NONE]) : type;
    return {
      property,
      type,
      description: description + shapeOf(type),
      shown: {
        name,
        type: 'any',
        annotation: annotationOf(shownType),
        ...(preset === undefined ? {} : { default: preset }),
        ...(isOptional ? { optional: true } : {}),
      },
    };
  });
}

/** Any name does that Python can write: a parameter hides nothing but from its own function. */
function parameterName(property: string): string {
  if (nameProblem(property) === undefined || RESERVED_NAMES.includes(property)) return property;
  const name = asIdentifier(property);
  return nameProblem(name) === undefined ? name : `${name}_`;
}

function docOf(parameters: readonly Parameter[]): string {
  const told = parameters.filter(({ description }) => description !== '');
  if (told.length === 0) return '';
  const lines = told.map(
    ({ shown, description }) => `    ${shown.name}: ${description.trim().replaceAll(/\s*\n\s*/g, '\n        ')}`,
  );
  return `Args:\n${lines.join('\n')}`;
}

/** What an annotation leaves out. */
export function shapeOf(type: FieldType): string {
  const whole = renderType(type);
  return whole === annotationOf(type) ? '' : ` Type: ${whole}`;
}

function withoutShapes(type: FieldType): FieldType {
  switch (type.kind) {
    case 'object':
      return { kind: 'dict', key: ANY, value: ANY };
    case 'list':
    case 'tuple_of':
      return { ...type, item: withoutShapes(type.item) };
    case 'dict':
      return { ...type, value: withoutShapes(type.value) };
    case 'tuple':
      return { ...type, items: type.items.map(withoutShapes) };
    case 'union':
      return unionOf(type.members.map(withoutShapes));
    default:
      return type;
  }
}

function takesNone(type: FieldType): boolean {
  return type.kind === 'none' || type.kind === 'any' || (type.kind === 'union' && type.members.some(takesNone));
}
