import { isRecord } from '../is-record.ts';
import {
  ANY,
  BOOL,
  FLOAT,
  INT,
  literalOf,
  NONE,
  STR,
  unionOf,
  type FieldType,
  type LiteralValue,
  type Property,
} from './field-type.ts';
import { SignatureError } from './signature-error.ts';
import { KEY_PATTERNS, type JsonSchema } from './to-json-schema.ts';

const SIMPLE: Readonly<Record<string, FieldType>> = {
  string: STR,
  integer: INT,
  number: FLOAT,
  boolean: BOOL,
  null: NONE,
};
const MAX_DEPTH = 50;

/** What narrows a type further: told to the model with the description, but not checked. */
const CONSTRAINTS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
] as const;
const UNSUPPORTED = [
  'not',
  'if',
  'dependentSchemas',
  'patternProperties',
  'unevaluatedProperties',
  'contains',
  '$dynamicRef',
];

/** Whether a value is meant as a JSON Schema, rather than a form of our own: its types have other names. */
export function isJsonSchema(value: unknown): value is JsonSchema {
  if (!isRecord(value)) return false;
  const { type } = value;
  if (typeof type === 'string') return type === 'array' || type === 'object' || Object.hasOwn(SIMPLE, type);
  if (Array.isArray(type)) return true;
  return (
    type === undefined &&
    ['anyOf', 'oneOf', 'allOf', 'enum', 'const', '$ref', 'properties', 'items', '$schema'].some((key) => key in value)
  );
}

/**
 * @param place - path of the schema, for messages.
 * @throws SignatureError for what has no counterpart among the types.
 */
export function fromJsonSchema(schema: unknown, place: string): { type: FieldType; description?: string } {
  const type = new SchemaReader(schema).type(schema, place, 0);
  const description = describeSchema(schema);
  return { type, ...(description === undefined ? {} : { description }) };
}

/** Title, description and constraints in one line. */
function describeSchema(schema: unknown): string | undefined {
  if (!isRecord(schema)) return undefined;
  const said = [schema['description'], schema['description'] === undefined ? schema['title'] : undefined].filter(
    (part) => typeof part === 'string' && part !== '',
  );
  const constraints = CONSTRAINTS.filter((key) => schema[key] !== undefined && !isImplied(key, schema)).map(
    (key) => `${key} ${JSON.stringify(schema[key])}`,
  );
  if (constraints.length > 0) said.push(`(${constraints.join(', ')})`);
  return said.length === 0 ? undefined : said.join(' ');
}

/** Schemas made from code bound every integer by what a double holds, and count the items of tuples. */
function isImplied(key: string, schema: JsonSchema): boolean {
  if (schema['type'] === 'integer') return Math.abs(Number(schema[key])) >= Number.MAX_SAFE_INTEGER;
  return schema['prefixItems'] !== undefined || schema['items'] === false;
}

class SchemaReader {
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  type(schema: unknown, place: string, depth: number): FieldType {
    if (schema === true) return ANY;
    if (!isRecord(schema))
      throw problem(
        place,
        `${JSON.stringify(schema)} is not a JSON Schema`,
        'Write an object such as {"type": "string"}.',
      );
    if (depth > MAX_DEPTH) {
      throw problem(
        place,
        'the schema is nested too deeply, or refers to itself',
        'Leave out what is inside: {} stands for anything.',
      );
    }
    const unsupported = UNSUPPORTED.find((key) => key in schema);
    if (unsupported !== undefined)
      throw problem(place, `\`${unsupported}\` is not supported`, 'Leave it out, or use {} for anything.');
    if (typeof schema['$ref'] === 'string') return this.type(this.#lookUp(schema['$ref'], place), place, depth + 1);
    if (Array.isArray(schema['enum'])) return literal(schema['enum'], place);
    if ('const' in schema) return literal([schema['const']], place);
    const choices = schema['anyOf'] ?? schema['oneOf'];
    if (Array.isArray(choices)) {
      if (choices.length === 0) throw problem(place, 'there is nothing to choose from', 'Name at least one schema.');
      return unionOf(choices.map((choice, index) => this.type(choice, `${place}.anyOf[${index}]`, depth + 1)));
    }
    if (Array.isArray(schema['allOf'])) {
      const [only, ...others] = schema['allOf'];
      if (only !== undefined && others.length === 0) return this.type(only, place, depth + 1);
      throw problem(place, '`allOf` with several schemas is not supported', 'Write the properties into one schema.');
    }
    return this.#byName(schema, place, depth);
  }

  #byName(schema: JsonSchema, place: string, depth: number): FieldType {
    const { type } = schema;
    if (Array.isArray(type)) return unionOf(type.map((each) => this.#byName({ ...schema, type: each }, place, depth)));
    if (type === 'array' || (type === undefined && ('items' in schema || 'prefixItems' in schema))) {
      return this.#array(schema, place, depth);
    }
    if (type === 'object' || (type === undefined && 'properties' in schema)) return this.#object(schema, place, depth);
    if (type === undefined) return ANY;
    const simple = typeof type === 'string' && Object.hasOwn(SIMPLE, type) ? SIMPLE[type] : undefined;
    if (simple !== undefined) return simple;
    throw problem(
      place,
      `${JSON.stringify(type)} is not a type of JSON Schema`,
      'They are string, integer, number, boolean, null, array and object.',
    );
  }

  #array(schema: JsonSchema, place: string, depth: number): FieldType {
    const { items, prefixItems } = schema;
    if (Array.isArray(prefixItems)) {
      if (items !== undefined && items !== false) {
        throw problem(
          place,
          '`prefixItems` with further `items` is not supported',
          'Set items to false, or use a list.',
        );
      }
      const types = prefixItems.map((item, index) => this.type(item, `${place}[${index}]`, depth + 1));
      return { kind: 'tuple', items: types };
    }
    if (items === false) return { kind: 'tuple', items: [] };
    return { kind: 'list', item: items === undefined ? ANY : this.type(items, `${place}[]`, depth + 1) };
  }

  #object(schema: JsonSchema, place: string, depth: number): FieldType {
    const { properties, additionalProperties } = schema;
    const additional =
      additionalProperties === false
        ? null
        : this.type(additionalProperties ?? true, `${place}.additionalProperties`, depth + 1);
    if (!isRecord(properties)) {
      if (additional === null) return { kind: 'object', properties: [], additional };
      return { kind: 'dict', key: keyType(schema['propertyNames']), value: additional };
    }
    const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
    const list = Object.entries(properties).map(([name, property]): Property => {
      const description = describeSchema(property);
      return {
        name,
        type: this.type(property, `${place}.${name}`, depth + 1),
        required: required.has(name),
        ...(description === undefined ? {} : { description }),
      };
    });
    return { kind: 'object', properties: list, additional };
  }

  /** `#/$defs/Name` and other pointers into the schema itself. */
  #lookUp(reference: string, place: string): unknown {
    let found: unknown = reference.startsWith('#') ? this.#root : undefined;
    for (const part of reference.slice(1).split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      found = isRecord(found) || Array.isArray(found) ? (found as Record<string, unknown>)[key] : undefined;
    }
    if (found === undefined)
      throw problem(place, `nothing is at ${reference}`, 'Put what it refers to under $defs of the same schema.');
    return found;
  }
}

function literal(values: readonly unknown[], place: string): FieldType {
  const allowed = values.filter(
    (value): value is LiteralValue =>
      value === null || ['string', 'boolean'].includes(typeof value) || Number.isSafeInteger(value),
  );
  if (values.length > 0 && allowed.length === values.length) return literalOf(allowed);
  throw problem(place, 'an enumeration of these values is not supported', 'Use strings, integers, booleans or null.');
}

function keyType(names: unknown): FieldType {
  if (!isRecord(names)) return ANY;
  if (Array.isArray(names['enum'])) return literalOf(names['enum'].map(String));
  if (Array.isArray(names['anyOf'])) return unionOf(names['anyOf'].map(keyType));
  if (names['pattern'] === KEY_PATTERNS.int) return INT;
  if (names['pattern'] === KEY_PATTERNS.float) return FLOAT;
  return names['pattern'] === KEY_PATTERNS.bool ? BOOL : STR;
}

function problem(place: string, what: string, advice: string): SignatureError {
  return new SignatureError(`${place}: ${what}. ${advice}`);
}
