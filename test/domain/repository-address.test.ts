import { describe, expect, it } from 'vitest';
import { isBelow, isSsh } from '../../src/domain/repository-address.ts';

describe('the address of a repository', () => {
  it.each([
    ['https://github.com/acme/tool.git', 'https://github.com/acme'],
    ['https://GitHub.com/acme/tool', 'https://github.com/acme/tool.git'],
    ['https://github.com/acme', 'https://github.com/'],
    ['ssh://git@github.com/acme/tool', 'ssh://github.com/acme'],
    ['git@github.com:acme/tool.git', 'ssh://github.com/acme'],
  ])('%s is below %s', (url, base) => {
    expect(isBelow(url, base)).toBe(true);
  });

  it.each([
    ['https://github.com/acme-2/tool', 'https://github.com/acme'],
    ['https://github.com.evil.example/acme/tool', 'https://github.com/acme'],
    ['https://github.com@evil.example/acme/tool', 'https://github.com/acme'],
    ['https://evil.example/github.com/acme/tool', 'https://github.com/acme'],
    ['https://github.com/acme/../evil/tool', 'https://github.com/acme'],
    ['https://github.com/acme/%2e%2e/evil/tool', 'https://github.com/acme'],
    ['https://github.com\\@evil.example/acme', 'https://github.com/acme'],
    ['http://github.com/acme/tool', 'https://github.com/acme'],
    ['https://github.com:444/acme/tool', 'https://github.com/acme'],
    ['https://github.com/ACME/tool', 'https://github.com/acme'],
    ['https://github.com', 'https://github.com/acme'],
    ['https://github.com/acme?x=/acme', 'https://github.com/acme?x='],
  ])('%s is not below %s', (url, base) => {
    expect(isBelow(url, base)).toBe(false);
  });

  it('is one over ssh in the short form too', () => {
    expect(['ssh://host/a', 'git@host:a', 'host:a'].map(isSsh)).toEqual([true, true, true]);
    expect(['https://host/a', 'git://host/a', 'http://host/a'].map(isSsh)).toEqual([false, false, false]);
  });
});
