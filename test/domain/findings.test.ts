import { describe, expect, it } from 'vitest';
import { compareFindings, countFindings, findingsIn, rememberedFindings } from '../../src/domain/findings.ts';

const config = { field: 'issues', key: ['file', 'rule'] };
const issue = (file: string, rule: string, line = 1): Readonly<Record<string, unknown>> => ({ file, rule, line });

describe('the findings of a run', () => {
  it('are a list of objects in a field of its answer, or the answer itself', () => {
    expect(findingsIn({ issues: [issue('a', 'r')] }, config)).toEqual([issue('a', 'r')]);
    expect(findingsIn([issue('a', 'r')], { key: ['file'] })).toEqual([issue('a', 'r')]);
    expect(findingsIn({ issues: ['a'] }, config)).toBeUndefined();
    expect(findingsIn('none', config)).toBeUndefined();
  });

  it('are new, still open, changed or gone by their key', () => {
    const before = { run: 'first', findings: [issue('a', 'r'), issue('b', 'r'), issue('c', 'r')] };
    const compared = compareFindings(before, [issue('d', 'r'), issue('b', 'r', 7), issue('a', 'r')], config);
    expect(compared).toEqual({
      new: [issue('d', 'r')],
      open: [issue('a', 'r')],
      changed: [{ before: issue('b', 'r'), now: issue('b', 'r', 7) }],
      gone: [issue('c', 'r')],
      held_back: 0,
      since: 'first',
    });
    expect(countFindings(compared)).toEqual({ new: 1, open: 1, changed: 1, gone: 1 });
  });

  it('are all new in the first run of a series; one that is found twice counts once', () => {
    const compared = compareFindings(undefined, [issue('a', 'r'), issue('a', 'r', 2)], config);
    expect(compared).toMatchObject({ new: [issue('a', 'r', 2)], since: null });
  });

  it('beyond max_new are held back, and new again the next time', () => {
    const many = ['a', 'b', 'c'].map((file) => issue(file, 'r'));
    const limited = { ...config, max_new: 2 };
    const first = compareFindings(undefined, many, limited);
    expect(first).toMatchObject({ new: many.slice(0, 2), held_back: 1 });
    const second = compareFindings({ run: 'first', findings: rememberedFindings(first) }, many, limited);
    expect(second).toMatchObject({ new: [many[2]], open: many.slice(0, 2), gone: [], held_back: 0 });
  });
});
