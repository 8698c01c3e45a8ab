import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/domain/nearest-name.ts';

describe('nearestName', () => {
  it.each([
    ['max_iteration', ['max_iterations', 'max_depth'], 'max_iterations'],
    ['temprature', ['temperature', 'timeout'], 'temperature'],
    ['xia', ['vllm', 'xai'], 'xai'],
    ['OpenRouter', ['openai', 'openrouter'], 'openrouter'],
  ])('%s among %j is %s', (name, candidates, expected) => {
    expect(nearestName(name, candidates)).toBe(expected);
  });

  it('is undefined when nothing is close', () => {
    expect(nearestName('colour', ['provider', 'python'])).toBeUndefined();
    expect(nearestName('x', [])).toBeUndefined();
  });
});
