import { describe, expect, it } from 'vitest';
import { asStoredInputs, asToolDescriptions, checkRunInput, type GivenRun } from '../../src/domain/run-input.ts';

const HASH = 'a'.repeat(43);
const REPO = { repo: 'https://example.com/r.git', prompt: 'Do it' };
const ANALYSIS = { signature: 'a -> b' };

/** What is said of an input of this type; undefined where it is right. */
function problem(type: string, input: unknown): string | undefined {
  try {
    checkRunInput({ type, input } as GivenRun);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ type: 'Input.Invalid' });
    return (error as Error).message;
  }
}

describe('the input of a run', () => {
  it('may have what clients send', () => {
    const bundled = {
      ...REPO,
      branch: 'main',
      commit: 'c'.repeat(40),
      bundle: HASH,
      config: {},
      grant: 'f'.repeat(64),
    };
    expect(problem('investigate', bundled)).toBeUndefined();
    const stored = { ...ANALYSIS, stored_inputs: HASH, tools: HASH, instructions: 'Be brief', config: {} };
    expect(problem('analyze', stored)).toBeUndefined();
    expect(problem('analyze', { signature: { inputs: {}, outputs: {} }, inputs: { a: null } })).toBeUndefined();
  });

  /** Every field with every wrong kind of value; null is left out where a field may be. */
  const WRONG: Readonly<Record<string, readonly unknown[]>> = {
    needed: [5, true, [], {}, null, '', ' '],
    text: [5, true, [], {}],
    section: [5, true, [], 'text'],
    hash: [5, true, [], {}, '', 'short', `../${'a'.repeat(40)}`, [HASH]],
  };
  const OF_INVESTIGATE = { repo: 'needed', prompt: 'needed', branch: 'text', commit: 'text', config: 'section' };
  const OF_ANALYZE = { instructions: 'text', inputs: 'section', config: 'section' };
  it.each([
    ['investigate', REPO, { ...OF_INVESTIGATE, bundle: 'hash', grant: 'hash' }],
    ['analyze', ANALYSIS, { ...OF_ANALYZE, stored_inputs: 'hash', tools: 'hash', grant: 'hash' }],
  ] as const)('of %s is refused by the name of the field that has a wrong value', (type, right, fields) => {
    for (const [field, kind] of Object.entries(fields))
      for (const value of WRONG[kind] ?? []) {
        const said = problem(type, { ...right, [field]: value });
        expect(said, `${field}: ${JSON.stringify(value)}`).toContain(`\`${field}\``);
      }
  });

  it('is said to be missing where there is none', () => {
    expect(problem('analyze', undefined)).toMatch(
      /^The input of analyze is missing: it must be an object\. Its fields: signature /,
    );
  });

  it.each([null, 'text', 5, [], [REPO]])('is an object: %j', (input) => {
    for (const type of ['investigate', 'analyze'])
      expect(problem(type, input)).toMatch(/^The input of \w+ must be an object, not /);
  });

  it('has what it cannot do without, and no field that there is not', () => {
    expect(problem('investigate', { repo: 'x' })).toContain('needs `prompt`');
    expect(problem('analyze', { inputs: {} })).toContain('needs `signature`');
    expect(problem('investigate', { ...REPO, brnch: 'x' })).toContain('Did you mean `branch`');
    expect(problem('investigate', JSON.parse('{"repo":"r","prompt":"p","__proto__":{}}'))).toContain('"__proto__"');
    expect(problem('investigate', { ...REPO, constructor: {} })).toContain('"constructor"');
  });

  it('does not contradict itself', () => {
    expect(problem('investigate', { ...REPO, bundle: HASH })).toContain('needs `commit`');
    expect(problem('analyze', { ...ANALYSIS, inputs: {}, stored_inputs: HASH })).toContain('both');
  });
});

it('what a blob holds is taken for stored inputs, or tools, only where it is', () => {
  const input = { name: 'a', format: 'text', ref: HASH, size: 1, summary: {} };
  expect(asStoredInputs([input])).toEqual([input]);
  for (const stored of [{}, null, 'text', 5, [null], [[]], [{ ...input, ref: 'x' }], [{ name: 'a' }]])
    expect(() => asStoredInputs(stored)).toThrow('`stored_inputs`');
  const tool = { name: 'a', doc: '', parameters: [], timeout: 1, attempts: 1 };
  expect(asToolDescriptions([tool])).toEqual([tool]);
  for (const stored of [{}, null, 'text', [5], [{ ...tool, parameters: {} }], [{ name: 'a' }]])
    expect(() => asToolDescriptions(stored)).toThrow('`tools`');
});
