import { isRecord } from '../is-record.ts';
import { STR, type Field, type FieldType, type Property, type Signature } from './field-type.ts';
import { fromJsonSchema, isJsonSchema } from './from-json-schema.ts';
import { nameError, parseSignature, parseType } from './notation.ts';
import { SignatureError } from './signature-error.ts';
import { normalizedName } from './names.ts';

/**
 * A signature as YAML or a program gives it: DSPy's notation, the notation with instructions and descriptions beside
 * it, or its fields one by one.
 *
 *     {signature: 'documents: list[str] -> answer', instructions: '...', descriptions: {answer: 'One sentence.'}}
 *     {instructions: '...', inputs: {documents: 'list[str]'}, outputs: {answer: {type: 'str', description: '...'}}}
 */
export type SignatureForm =
  | string
  | {
      readonly signature: string;
      readonly instructions?: string;
      /** Of fields, by name. */
      readonly descriptions?: Readonly<Record<string, string>>;
    }
  | {
      readonly instructions?: string;
      readonly inputs?: FieldsForm;
      readonly outputs: FieldsForm;
      readonly descriptions?: Readonly<Record<string, string>>;
    };

/** By name, in this order; or one JSON Schema of an object whose properties are the fields. */
export type FieldsForm = Readonly<Record<string, unknown>>;

/**
 * A field is a type in the notation (`list[str]`), a JSON Schema, or `{type, description}`, whose type may be either of
 * these or an object of fields again: `{type: {chapter: 'int', event: 'str'}}`. A key that ends in `?` may be missing.
 * Null and `{}` stand for a str.
 *
 * @throws SignatureError that names the field, or shows the character.
 */
export function readSignature(form: unknown): Signature {
  if (typeof form === 'string') return parseSignature(form);
  if (!isRecord(form)) throw complain('The signature', 'it must be a text or an object', EXAMPLE);
  const { signature, inputs, outputs, instructions, descriptions, ...others } = form;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const known = 'The keys are signature, or inputs and outputs; instructions; descriptions.';
    throw complain('The signature', `there is no key ${unknown} in it`, known);
  }
  if (signature !== undefined && (inputs !== undefined || outputs !== undefined)) {
    throw complain('The signature', 'it is given twice', 'Give either `signature`, or `inputs` and `outputs`.');
  }
  const read = signature === undefined ? fromFields(inputs, outputs) : fromText(signature);
  return describe(read, instructions, descriptions);
}

const EXAMPLE = 'Write documents: list[str], question -> answer: str, or {inputs: {...}, outputs: {...}}.';

function fromText(signature: unknown): Signature {
  if (typeof signature === 'string') return parseSignature(signature);
  throw complain('The signature', '`signature` must be a text', EXAMPLE);
}

function fromFields(inputs: unknown, outputs: unknown): Signature {
  const first = readFields(inputs ?? {}, 'inputs', []);
  const second = readFields(
    outputs ?? {},
    'outputs',
    first.map(({ name }) => name),
  );
  if (second.length === 0)
    throw complain('outputs', 'there is no output field', 'Name what is wanted, such as {answer: str}.');
  return { inputs: first, outputs: second };
}

function describe(signature: Signature, instructions: unknown, descriptions: unknown): Signature {
  if (instructions !== undefined && instructions !== null && typeof instructions !== 'string') {
    throw complain('instructions', 'they must be a text', 'Write what the fields do not say.');
  }
  const texts = new Map(Object.entries(isRecord(descriptions) ? descriptions : {}));
  const names = [...signature.inputs, ...signature.outputs].map(({ name }) => name);
  for (const [name, text] of texts) {
    if (!names.includes(name))
      throw complain('descriptions', `there is no field ${name}`, `The fields are ${names.join(', ')}.`);
    if (typeof text !== 'string')
      throw complain(`descriptions.${name}`, 'it must be a text', 'Write what the field holds.');
  }
  const withText = (field: Field): Field => {
    const description = texts.get(field.name);
    return typeof description === 'string' ? { ...field, description } : field;
  };
  return {
    ...(typeof instructions === 'string' && instructions.trim() !== '' ? { instructions } : {}),
    inputs: signature.inputs.map(withText),
    outputs: signature.outputs.map(withText),
  };
}

function readFields(form: unknown, place: string, others: readonly string[]): Field[] {
  if (!isRecord(form)) throw complain(place, 'they must be an object of fields', 'Write {name: type, ...}.');
  const list = isSchemaOfFields(form)
    ? fieldsOfSchema(form, place)
    : Object.entries(form).map(([name, field]) => readField(name, field, place));
  const names = [...others];
  for (const { name } of list) {
    const error = nameError(name, `A name in ${place}`, names);
    if (error !== undefined) throw error;
    names.push(name);
  }
  return list;
}

/** A field may be called `type` or `properties`: only both together make a schema. */
function isSchemaOfFields(form: Readonly<Record<string, unknown>>): boolean {
  return form['type'] === 'object' && isRecord(form['properties']);
}

function fieldsOfSchema(schema: unknown, place: string): Field[] {
  const { type } = fromJsonSchema(schema, place);
  if (type.kind !== 'object') return [];
  return type.properties.map(({ name, type: inner, description }) => ({
    name: normalizedName(name),
    type: inner,
    ...(description === undefined ? {} : { description }),
  }));
}

function readField(name: string, form: unknown, place: string): Field {
  const { type, description } = readTyped(form, `${place}.${name}`);
  return { name: normalizedName(name), type, ...(description === undefined ? {} : { description }) };
}

interface Typed {
  readonly type: FieldType;
  readonly description?: string;
}

function readTyped(form: unknown, place: string): Typed {
  if (form === null) return { type: STR };
  if (typeof form === 'string') return { type: parseType(form, place) };
  if (isJsonSchema(form)) return fromJsonSchema(form, place);
  if (!isRecord(form))
    throw complain(place, `${JSON.stringify(form)} is not a type`, 'Write a type such as list[str].');
  const { type, schema, description, desc, ...others } = form;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw complain(place, `there is no key ${unknown} in a field`, 'A field has type (or schema) and description.');
  }
  const text = description ?? desc;
  if (text !== undefined && text !== null && typeof text !== 'string') {
    throw complain(`${place}.description`, 'it must be a text', 'Write what the field holds.');
  }
  const inner = innerType(type, schema, place);
  return typeof text === 'string' && text.trim() !== '' ? { ...inner, description: text } : inner;
}

function innerType(type: unknown, schema: unknown, place: string): Typed {
  if (schema !== undefined) {
    if (type !== undefined) throw complain(place, 'there are a type and a schema', 'Leave one of them out.');
    return fromJsonSchema(schema, `${place}.schema`);
  }
  if (type === undefined || type === null) return { type: STR };
  if (typeof type === 'string') return { type: parseType(type, `${place}.type`) };
  if (isJsonSchema(type)) return fromJsonSchema(type, `${place}.type`);
  if (isRecord(type)) return { type: objectOfFields(type, `${place}.type`) };
  throw complain(`${place}.type`, `${JSON.stringify(type)} is not a type`, 'Write a type such as list[str].');
}

function objectOfFields(form: Readonly<Record<string, unknown>>, place: string): FieldType {
  const properties = Object.entries(form).map(([key, field]): Property => {
    const required = !key.endsWith('?');
    const name = required ? key : key.slice(0, -1);
    return { name, required, ...readTyped(field, `${place}.${name}`) };
  });
  return { kind: 'object', properties, additional: null };
}

function complain(place: string, problem: string, advice: string): SignatureError {
  return new SignatureError(`${place}: ${problem}. ${advice}`);
}
