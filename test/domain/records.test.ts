import { describe, expect, it } from 'vitest';
import { agentDepth, runIdProblem, splitAgentWorkflowId } from '../../src/domain/ids.ts';
import { canonicalJson, checkedRecord } from '../../src/domain/records.ts';

describe('canonical JSON', () => {
  it('sorts keys at every depth and leaves out what is undefined', () => {
    expect(canonicalJson({ b: 1, a: [{ d: null, c: undefined, b: 'ä' }] })).toBe('{"a":[{"b":"ä","d":null}],"b":1}');
  });

  it('gives equal bytes to equal values', () => {
    expect(canonicalJson({ x: 1, y: { z: 2, w: 3 } })).toBe(canonicalJson({ y: { w: 3, z: 2 }, x: 1 }));
  });
});

describe('reading a record', () => {
  it('refuses what is none, and versions it does not know', () => {
    expect(() => checkedRecord({ kind: 'other', v: 1 })).toThrow('not a trajectory record');
    expect(() => checkedRecord({ kind: 'task', v: 2 })).toThrow('version 2');
    expect(() => checkedRecord(null)).toThrow('not a trajectory record');
  });
});

describe('ids', () => {
  it('tell run, agent and depth apart', () => {
    expect(splitAgentWorkflowId('my-run/0.3.1')).toEqual({ run: 'my-run', agent: '0.3.1' });
    expect(agentDepth('0')).toBe(0);
    expect(agentDepth('0.3.1')).toBe(2);
  });

  it.each([
    ['a/b', 'letters'],
    ['', 'empty'],
    ['x'.repeat(201), '200'],
    ['-x', 'beginning'],
  ])('of a run cannot be %j', (id, why) => {
    expect(runIdProblem(id)).toContain(why);
  });

  it('of a run can be what people name things', () => {
    for (const id of ['todo-1', 'nightly:2026-11-20', 'user@host+x', 'A.b_c']) expect(runIdProblem(id)).toBeUndefined();
  });
});
