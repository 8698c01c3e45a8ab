import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeSignature, submitExample, submitSignature } from '../../src/domain/signature/describe.ts';
import type { FieldType } from '../../src/domain/signature/field-type.ts';
import { fromJsonSchema } from '../../src/domain/signature/from-json-schema.ts';
import { parseSignature, parseType } from '../../src/domain/signature/notation.ts';
import { readSignature, type SignatureForm } from '../../src/domain/signature/read-signature.ts';
import { renderSignature, renderType } from '../../src/domain/signature/render.ts';
import { SignatureError } from '../../src/domain/signature/signature-error.ts';
import { fieldsToJsonSchema, typeToJsonSchema } from '../../src/domain/signature/to-json-schema.ts';

/** What is said of a signature that is wrong, and where. */
function errorOf(read: () => unknown): SignatureError {
  try {
    read();
  } catch (error) {
    if (error instanceof SignatureError) return error;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('an error of a signature', () => {
  it('shows the character and says what to do', () => {
    const error = errorOf(() => parseSignature('documents: list[strng], question -> answer'));
    expect(error.message).toBe(
      [
        'The signature is wrong at character 17: there is no type strng here.',
        '  documents: list[strng], question -> answer',
        '                  ^^^^^',
        'Did you mean str? The types are str, int, float, bool, list[T], dict[K, V], tuple[...], Literal[...], Optional[T], A | B, Any.',
      ].join('\n'),
    );
    expect(error).toMatchObject({ type: 'Input.Invalid', position: 16 });
  });

  it.each([
    ['question', 9, 'there is no `->`', 'Write the inputs, `->`, and the outputs.'],
    ['a -> b -> c', 8, 'there is a second `->`', 'one `->`'],
    ['a: list[str -> b', 8, 'this [ is never closed', 'Add the ] that belongs to it.'],
    ['a -> b: {x int}', 12, 'a `:` is missing after x', 'Write x: int, or a comma between two keys.'],
    ['a: list[str}, b -> c', 12, '`}` where , or ] is wanted', 'Close what was opened'],
    ['a: -> b', 4, '`->` where a type is wanted', 'The types are'],
    ['a b -> c', 3, '`b` does not belong here', 'Separate fields with commas.'],
    ['class -> b', 1, 'class is a keyword of Python', 'Choose another name.'],
    ['FINAL -> b', 1, 'FINAL is the name of a function in the sandbox', 'Choose another name.'],
    ['_a -> b', 1, '_a begins with an underscore', 'Leave it out.'],
    ['a: integer -> b', 4, 'there is no type integer here', 'Did you mean int?'],
    ['a: "int" -> b', 4, 'a text where a type is wanted', 'Write the type without quotes, or Literal["int"].'],
    ['a: Optional[int, str] -> b', 4, 'Optional takes one type, not 2', 'Write A | B | None.'],
    ['a: dict[str] -> b', 4, 'dict takes two types, not 1', 'Write dict[K, V]'],
    ["a: Literal['x -> b", 12, 'this text does not end', "Close it with '"],
    ["a: Literal['\\u12'] -> b", 13, '\\u is not a complete escape', 'hexadecimal digits'],
    ['a: {x: int, x: str} -> b', 13, 'the key x is there twice', 'Leave one of them out.'],
    ['a; b -> c', 2, '";" has no meaning here', 'A signature looks like this'],
    ['a: str[int] -> b', 7, 'str takes nothing in brackets', 'Write str alone.'],
    [`a: ${'list['.repeat(60)} -> b`, 254, 'nested deeper than 50', 'Use Any inside.'],
  ])('%s', (source, character, problem, advice) => {
    const { message } = errorOf(() => parseSignature(source));
    expect(message).toContain(`at character ${character}: ${problem}.`);
    expect(message.split('\n').at(-1)).toContain(advice);
  });

  it('shows the line it is on, and of a long one what is around it', () => {
    const several = errorOf(() => parseSignature('a: str,\n\tb: strng\n-> c')).message.split('\n');
    expect(several.slice(1, 3)).toEqual(['  \tb: strng', '  \t   ^^^^^']);
    const names = Array.from({ length: 100 }, (_, index) => `ä${index}`).join(', ');
    const long = errorOf(() => parseSignature(`${names}, b: strng, ${names} -> d`)).message.split('\n');
    expect(long[1]?.length).toBeLessThan(110);
    expect(long[1]?.slice(long[2]?.indexOf('^'))).toMatch(/^strng/);
    expect(errorOf(() => parseSignature('😀 -> b')).message).toContain('at character 1: "😀" has no meaning here');
  });
});

describe('the canonical form of a signature', () => {
  it.each([
    ['documents: list[str], question->answer,', 'documents: list[str], question: str -> answer: str'],
    ['a: List, b: Dict -> c: Optional[Union[int, None, str]]', 'a: list, b: dict -> c: int | str | None'],
    ['-> a: Tuple', '-> a: tuple'],
    [
      `a -> b: Literal["it's", 'a"b', "\\n\\x00\\ud800", -5, True, None]`,
      `a: str -> b: Literal["it's", 'a"b', '\\n\\x00\\ud800', -5, True, None]`,
    ],
    ["-> a: {b: list[{c?: int}], 'd e', ...: str}", "-> a: {b: list[{c?: int}], 'd e': str, ...: str}"],
    ['-> a: tuple[tuple[()], tuple[int, ...], tuple[str]]', '-> a: tuple[tuple[()], tuple[int, ...], tuple[str]]'],
    ['-> a: {}', '-> a: {}'],
    ['-> a: dict[str, Any]', '-> a: dict[str, Any]'],
  ])('%s', (source, canonical) => {
    const signature = parseSignature(source);
    expect(renderSignature(signature)).toBe(canonical);
    expect(parseSignature(canonical)).toEqual(signature);
  });
});

describe('a signature in a structured form', () => {
  it('is notation with instructions and descriptions', () => {
    const form: SignatureForm = {
      signature: 'docs: list[str] -> answer',
      instructions: 'Be brief.',
      descriptions: { answer: 'One word.' },
    };
    expect(readSignature(form)).toEqual({
      instructions: 'Be brief.',
      inputs: [{ name: 'docs', type: parseType('list[str]') }],
      outputs: [{ name: 'answer', type: { kind: 'str' }, description: 'One word.' }],
    });
  });

  it('is fields: notation, descriptions, JSON Schemas, objects of fields', () => {
    const { inputs, outputs } = readSignature({
      inputs: { docs: 'list[str]', question: null, type: { description: 'A field may be called so.' } },
      outputs: {
        answer: { type: 'str | None', desc: 'As DSPy calls it.' },
        wealth: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] } },
        events: { type: { chapter: 'int', 'note?': { type: 'str', description: 'Why.' } } },
        flags: { schema: { type: ['boolean', 'null'], description: 'From the schema.' } },
      },
    });
    expect(renderSignature({ inputs, outputs })).toBe(
      'docs: list[str], question: str, type: str -> answer: str | None, wealth: list[{a: int, ...}], ' +
        'events: {chapter: int, note?: str}, flags: bool | None',
    );
    expect(outputs.map(({ description }) => description)).toEqual([
      'As DSPy calls it.',
      undefined,
      undefined,
      'From the schema.',
    ]);
  });

  it("is one JSON Schema a side, zod's for example", () => {
    const outputs = z.toJSONSchema(
      z.object({
        answer: z.string().describe('Short.'),
        items: z.array(z.object({ n: z.int(), kind: z.enum(['a', 'b']), rest: z.unknown().optional() })),
        pair: z.tuple([z.string(), z.number()]).nullable(),
        table: z.record(z.string(), z.boolean()),
      }),
    );
    const signature = readSignature({ outputs });
    expect(renderSignature(signature)).toBe(
      "-> answer: str, items: list[{n: int, kind: Literal['a', 'b'], rest?: Any}], pair: tuple[str, float] | None, table: dict[str, bool]",
    );
    expect(signature.outputs[0]?.description).toBe('Short.');
  });

  it.each<[string, unknown, string]>([
    ['nothing', null, 'it must be a text or an object'],
    ['an unknown key', { outputs: { a: 'str' }, output: {} }, 'there is no key output in it'],
    ['no outputs', { inputs: { a: 'str' } }, 'there is no output field'],
    ['both forms', { signature: 'a -> b', outputs: { b: 'str' } }, 'it is given twice'],
    [
      'a type that is wrong',
      { outputs: { a: { type: 'list[str' } } },
      'outputs.a.type is wrong at character 5: this [ is never closed',
    ],
    ['a name that is wrong', { outputs: { 'a b': 'str' } }, 'a b is not a Python identifier'],
    ['a name on both sides', { inputs: { a: 'str' }, outputs: { a: 'str' } }, 'a is there twice'],
    [
      'a description of nothing',
      { signature: 'a -> b', descriptions: { c: 'x' } },
      'there is no field c. The fields are a, b.',
    ],
    [
      'an unknown key of a field',
      { outputs: { a: { type: 'str', default: 1 } } },
      'outputs.a: there is no key default',
    ],
    ['a number for a type', { outputs: { a: 7 } }, 'outputs.a: 7 is not a type'],
    ['a schema that refers to itself', { outputs: { a: { $ref: '#' } } }, 'nested too deeply, or refers to itself'],
    ['a schema that cannot be', { outputs: { a: { type: 'string', not: {} } } }, 'outputs.a: `not` is not supported'],
  ])('with %s is refused', (_, form, message) => {
    expect(errorOf(() => readSignature(form)).message).toContain(message);
  });
});

describe('JSON Schemas', () => {
  const TYPES = [
    'str',
    'int | float | bool | None',
    'list',
    'list[list[int]]',
    'dict',
    'dict[str, Any]',
    'dict[int, str]',
    'dict[float, list]',
    'dict[bool | int, str]',
    "dict[Literal['a', 'b'], int]",
    'tuple[int, str]',
    'tuple[()]',
    "Literal['a', 1, True, None]",
    '{a: int, b?: {c: str, ...}, ...: float}',
    '{}',
    'Any',
  ];

  it.each(TYPES)('%s comes back from its schema', (source) => {
    const type = parseType(source);
    expect(fromJsonSchema(typeToJsonSchema(type), 'it')).toEqual({ type });
  });

  it('of all fields together', () => {
    expect(
      fieldsToJsonSchema(readSignature({ outputs: { a: 'int', b: { type: 'list[str]', description: 'B.' } } }).outputs),
    ).toEqual({
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'array', items: { type: 'string' }, description: 'B.' } },
      required: ['a', 'b'],
      additionalProperties: false,
    });
  });

  it('with references, titles and constraints, which become a description', () => {
    const schema = {
      $defs: { Score: { type: 'number', minimum: 0, maximum: 10, title: 'Score' } },
      type: 'object',
      properties: { score: { $ref: '#/$defs/Score' }, name: { type: 'string', description: 'Full.', minLength: 1 } },
      additionalProperties: false,
    };
    const { type } = fromJsonSchema(schema, 'it');
    expect(renderType(type)).toBe('{score?: float, name?: str}');
    const { properties } = type as Extract<FieldType, { kind: 'object' }>;
    expect(properties.map(({ description }) => description)).toEqual([undefined, 'Full. (minLength 1)']);
  });
});

describe('a signature in a prompt', () => {
  it('names variables, fields, and keys that have a description', () => {
    const signature = readSignature({
      inputs: { chapters: { type: 'list[str]', description: 'One text\n  a chapter.' }, task: 'str' },
      outputs: {
        wealth: {
          type: 'array',
          items: {
            type: 'object',
            properties: { n: { type: 'integer', description: 'The chapter.' } },
            required: ['n'],
            additionalProperties: false,
          },
          description: 'In order.',
        },
        note: 'str | None',
      },
    });
    expect(describeSignature(signature)).toBe(
      [
        'Given the variables `chapters`, `task`, produce the fields `wealth`, `note`.',
        '',
        'Input variables:',
        '- chapters: list[str]: One text a chapter.',
        '- task: str',
        '',
        'Output fields:',
        '- wealth: list[{n: int}]: In order.',
        '  - n: int: The chapter.',
        '- note: str | None',
      ].join('\n'),
    );
    expect(submitExample(signature)).toBe('SUBMIT(wealth=..., note=...)');
    expect(submitSignature(signature)).toBe('SUBMIT(wealth: list[{n: int}], note: str | None)');
  });
});
