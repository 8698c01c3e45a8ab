import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unionOf, type FieldType, type Property } from '../../src/domain/signature/field-type.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';

/** Written by fixtures/dspy-signatures.py, which says how. */
interface Table {
  readonly dspy: string;
  readonly signatures: readonly Row[];
}
type Row = Sides & { readonly signature: string; readonly error?: string };
interface Sides {
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

const TABLE = JSON.parse(readFileSync(new URL('fixtures/dspy-signatures.json', import.meta.url), 'utf8')) as Table;

/** Where we do something else than DSPy, on purpose, and why. `ours`: the fields, or the error. */
const DIFFERENCES: Readonly<Record<string, { readonly why: string; readonly ours: string | RegExp }>> = {
  'a ->': { why: 'an analysis without a result cannot be finished', ours: /there is no output field/ },
  '->': { why: 'the same', ours: /there is no output field/ },
  'a, a -> b': { why: 'DSPy silently drops one of them', ours: /two fields called a/ },
  'a -> b, b': { why: 'DSPy silently drops one of them', ours: /two fields called b/ },
  'a: int = 3 -> b': { why: 'DSPy silently ignores the default', ours: /fields have no default values/ },
  '*a -> b': { why: 'DSPy silently drops the field', ours: /`\*` where the name of a field is wanted/ },
  'a, /, b -> c': { why: 'DSPy silently drops the fields before it', ours: /`\/` where the name of a field is wanted/ },
  "a: Literal['x -> y'] -> b": { why: 'an arrow in a text is a text', ours: "a: Literal['x -> y'] -> b: str" },
  'a: Literal[-1] -> b': { why: 'a number may be negative', ours: 'a: Literal[-1] -> b: str' },
  'a: Literal[1.5] -> b': {
    why: 'typing allows no floats there, and equality of floats is a trap',
    ours: /not a value for Literal/,
  },
  "a: Literal[b'x'] -> b": { why: 'JSON has no bytes', ours: /a text with the prefix b/ },
  'a: None -> b': { why: 'DSPy takes None for "no type given" and makes it a str', ours: 'a: None -> b: str' },
  'a: list[int, str] -> b': { why: 'no such type; DSPy does not look', ours: /list holds one type, not 2/ },
  'a: set[int] -> b': { why: 'JSON has no sets', ours: /JSON has no sets; use list/ },
  'a: bytes -> b': { why: 'JSON has no bytes', ours: /JSON has no bytes; use str/ },
  'a: complex -> b': { why: 'JSON has no complex numbers', ours: /JSON has no complex numbers/ },
  'a: List -> b: Dict': { why: 'the old names alone are as good as the new ones', ours: 'a: list -> b: dict' },
  'a: dict[list[int], str] -> b': {
    why: 'lists cannot be keys, in Python neither',
    ours: /keys of this type cannot be had/,
  },
  'a: dict[None, str] -> b': { why: 'a key that is always null is a mistake', ours: /keys of this type cannot be had/ },
  'a: {x: int, y?: str} -> b': {
    why: 'objects with known keys are our addition',
    ours: 'a: {x: int, y?: str} -> b: str',
  },
  'a: str -> b): pass\ndef g(c': { why: 'DSPy pastes the text into source code', ours: /`\)` does not belong here/ },
  'a: Sequence[int] -> b': { why: 'only types that JSON has; list says it', ours: /there is no type Sequence/ },
  'a: dspy.Image -> b': { why: 'images are none of our types', ours: /nothing can be looked up in dspy/ },
  'instructions -> b': { why: 'a limit of how DSPy stores its own', ours: 'instructions: str -> b: str' },
  'SUBMIT -> b': {
    why: 'it would hide the function; dspy.RLM refuses it too, later',
    ours: /is the name of a function/,
  },
  'llm_query -> b': {
    why: 'it would hide the function; dspy.RLM refuses it too, later',
    ours: /is the name of a function/,
  },
};

const agreed = TABLE.signatures.filter(({ signature }) => !Object.hasOwn(DIFFERENCES, signature));

describe(`signatures as DSPy ${TABLE.dspy} reads them`, () => {
  it('are enough, good and bad', () => {
    expect(TABLE.dspy).toMatch(/^3\.3\./);
    expect(agreed.filter(({ error }) => error === undefined).length).toBeGreaterThan(45);
    expect(agreed.filter(({ error }) => error !== undefined).length).toBeGreaterThan(35);
  });

  it.each(agreed.filter(({ error }) => error === undefined))('$signature', ({ signature, inputs, outputs }) => {
    const ours = parseSignature(signature);
    expect({ inputs: ours.inputs, outputs: ours.outputs }).toEqual({
      inputs: ordered(inputs),
      outputs: ordered(outputs),
    });
  });

  it.each(agreed.filter(({ error }) => error !== undefined))('an error for both: $signature', ({ signature }) => {
    expect(() => parseSignature(signature)).toThrow(/^The signature is wrong at character \d+: /);
  });

  it.each(Object.entries(DIFFERENCES).map(([signature, difference]) => ({ signature, ...difference })))(
    'differently: $signature ($why)',
    ({ signature, ours }) => {
      const theirs = TABLE.signatures.find((row) => row.signature === signature);
      expect(theirs).toBeDefined();
      if (typeof ours !== 'string') {
        expect(() => parseSignature(signature)).toThrow(ours);
        expect(theirs?.error).toBeUndefined();
        return;
      }
      const parsed = parseSignature(signature);
      expect(parsed).toEqual(parseSignature(ours));
      expect({ inputs: theirs?.inputs, outputs: theirs?.outputs }).not.toEqual(parsed);
    },
  );
});

/** Unions are compared as sets: typing keeps None where it was written, we put it last. */
function ordered(side: unknown): unknown {
  return (side as readonly { name: string; type: FieldType }[]).map(({ name, type }) => ({ name, type: sorted(type) }));
}

function sorted(type: FieldType): FieldType {
  switch (type.kind) {
    case 'list':
    case 'tuple_of':
      return { ...type, item: sorted(type.item) };
    case 'dict':
      return { ...type, key: sorted(type.key), value: sorted(type.value) };
    case 'tuple':
      return { ...type, items: type.items.map(sorted) };
    case 'union':
      return unionOf(type.members.map(sorted));
    case 'object':
      return { ...type, properties: type.properties.map((each): Property => ({ ...each, type: sorted(each.type) })) };
    default:
      return type;
  }
}
