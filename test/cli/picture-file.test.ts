import { expect, it } from 'vitest';
import { pictureFile } from '../../src/cli/present-analysis.ts';

it.each([
  ['sub.json', 'sub.png'],
  ['out/sub.fields.json', 'out/sub.fields.png'],
  ['/var/sub', '/var/sub.png'],
  ['sub.png', 'sub.png.png'],
])('a picture beside the fields in %s is %s', (output, picture) => {
  expect(pictureFile('.png', 'run-1', { output, results: 'results' })).toBe(picture);
});

it('is named after the run where the fields are printed', () => {
  expect(pictureFile('.svg', 'run-1', { results: 'results' })).toBe('results/run-1.svg');
  expect(pictureFile('.svg', 'run-1', {})).toBe('run-1.svg');
});
