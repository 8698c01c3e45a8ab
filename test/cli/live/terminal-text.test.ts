import { expect, it } from 'vitest';
import { oneLine, printableJson, visibleControls } from '../../../src/cli/live/text.ts';

/** What a terminal obeys, shows in another order, or begins a line at. */
const HOSTILE = [
  ['OSC 52, which writes to the clipboard', '\u001b]52;c;ZXZpbA==\u0007'],
  ['a C1 control', '\u009b31m'],
  ['OSC as a C1 control', '\u009d52;c;ZXZpbA==\u009c'],
  ['a change of direction', '\u202e\u2066\u061c\u200e\u200f'],
  ['line separators', '\u2028\u2029\u0085'],
  ['a return and a backspace', '\r\b'],
] as const;
// oxlint-disable-next-line no-control-regex -- that is what it is about
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

it.each(HOSTILE)('%s does not reach the terminal', (_, text) => {
  const given = `before${text}after`;
  for (const shown of [visibleControls(given), oneLine(given)]) {
    expect(shown).not.toMatch(OBEYED);
    expect(shown).toMatch(/^before.*after$/);
  }
  const json = printableJson(JSON.stringify({ given }, undefined, 2));
  expect(json.replaceAll('\n', '')).not.toMatch(OBEYED);
  expect(JSON.parse(json)).toEqual({ given });
});
