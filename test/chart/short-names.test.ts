import { expect, it } from 'vitest';
import { shortNames } from '../../src/chart/short-names.ts';

it('leaves short names, and cuts long ones in the middle so that their ends differ', () => {
  const names = ['Dantès', 'a very long series name number 1', 'a very long series name number 12'];
  expect(shortNames(names, 21)).toEqual(['Dantès', 'a very lon…e number 1', 'a very lon…number 12']);
});

it('numbers those that differ in their middle only', () => {
  const names = ['aaaaaaaaaaaaa1aaaaaaaaaaaaa', 'aaaaaaaaaaaaa2aaaaaaaaaaaaa', 'aaaaaaaaaaaaa3aaaaaaaaaaaaa'];
  const short = shortNames(names, 15);
  expect(short).toEqual(['aaaaaaa…aaaaaaa', 'aaaaa…aaaa (2)', 'aaaaa…aaaa (3)']);
});

it('cuts no character into halves', () => {
  expect(shortNames(['😀'.repeat(20)], 5)).toEqual(['😀😀…😀😀']);
});
