import { describe, expect, it } from 'vitest';
import { truncate, truncateMiddle } from '../../src/domain/truncate.ts';

describe('truncateMiddle', () => {
  it('leaves alone what fits', () => {
    expect(truncateMiddle('abc', 3)).toEqual({ text: 'abc', truncated: false });
  });

  it('keeps head and tail and says how much is left out', () => {
    expect(truncateMiddle('a'.repeat(50) + 'b'.repeat(50), 20)).toEqual({
      text: 'aaaaaaaaaa\n... [80 characters left out] ...\nbbbbbbbbbb',
      truncated: true,
    });
  });

  it('never splits a surrogate pair', () => {
    for (let limit = 2; limit < 12; limit += 1) {
      const { text } = truncateMiddle('😀'.repeat(20), limit);
      expect(text.isWellFormed()).toBe(true);
    }
  });
});

describe('beginning', () => {
  it('ends in an ellipsis where something follows', () => {
    expect(truncate('abcdef', 4)).toBe('abc…');
    expect(truncate('abcd', 4)).toBe('abcd');
    expect(truncate('a😀b😀', 3).isWellFormed()).toBe(true);
  });
});
