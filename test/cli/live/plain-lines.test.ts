import { describe, expect, it } from 'vitest';
import { describeChanges, totalsLine } from '../../../src/cli/live/plain-lines.ts';
import { agentDepth } from '../../../src/domain/ids.ts';
import type { AgentReference } from '../../../src/domain/records.ts';
import type { RunSnapshot } from '../../../src/results/run-snapshot.ts';

const OPTIONS = { verbose: false, most: 4 };

function agent(id: string, fields: Partial<AgentReference> = {}): AgentReference {
  return {
    head: 'h',
    agent: id,
    depth: agentDepth(id),
    task: `Task of ${id}`,
    state: 'thinking',
    iteration: 1,
    sandbox: 's',
    usage: { input_tokens: 900, output_tokens: 100, cost: 0.01, llm_calls: 1 },
    started_at: 0,
    updated_at: 30_000,
    ...fields,
  };
}

const DONE = { state: 'done', status: 'completed', ended_at: 65_000, iteration: 3 } as const;

function snapshot(...agents: AgentReference[]): RunSnapshot {
  return { run: { run: 'r', execution: 'e', spec: 's', cluster: 'c', namespace: 'n', started_at: 0 }, agents };
}

describe('plain lines', () => {
  it('tell what started, the turns of the root, and what ended', () => {
    const first = snapshot(agent('0', { iteration: 0 }));
    const second = snapshot(agent('0', { state: 'waiting' }), agent('0.1'));
    const third = snapshot(agent('0', { iteration: 2 }), agent('0.1', DONE));
    expect(describeChanges(undefined, first, OPTIONS)).toEqual(['agent 0 started: Task of 0']);
    expect(describeChanges(first, second, OPTIONS)).toEqual([
      'agent 0.1 (depth 1) started: Task of 0.1',
      'agent 0 iteration 1: waiting for answers',
    ]);
    expect(describeChanges(second, third, OPTIONS)).toEqual([
      'agent 0 iteration 2: asking the model',
      'agent 0.1 (depth 1) done (1:05, 3 iterations, 1.0k tokens, $0.0100)',
    ]);
    expect(describeChanges(third, third, OPTIONS)).toEqual([]);
  });

  it('tell of hundreds of agents in one line for each kind of event', () => {
    const before = snapshot(agent('0'));
    const many = Array.from({ length: 300 }, (_, index) => `0.${index + 1}`);
    const during = snapshot(agent('0'), ...many.map((id) => agent(id)));
    const after = snapshot(
      agent('0'),
      ...many.map((id, index) => agent(id, index < 2 ? { ...DONE, status: 'failed' } : DONE)),
    );
    expect(describeChanges(before, during, OPTIONS)).toEqual(['300 agents started: 0.1 to 0.300']);
    expect(describeChanges(during, after, OPTIONS)).toEqual(['300 agents ended: 0.1 to 0.300 (2 failed)']);
  });

  it('tell of the turns of sub-agents when asked to', () => {
    const before = snapshot(agent('0'), agent('0.1'));
    const after = snapshot(agent('0'), agent('0.1', { iteration: 2, state: 'running' }));
    expect(describeChanges(before, after, OPTIONS)).toEqual([]);
    expect(describeChanges(before, after, { ...OPTIONS, verbose: true })).toEqual([
      'agent 0.1 (depth 1) iteration 2: running code',
    ]);
  });

  it('hold no control characters of a task', () => {
    const [line] = describeChanges(undefined, snapshot(agent('0', { task: 'a\u001b[2Jb\nc' })), OPTIONS);
    expect(line).toBe('agent 0 started: a [2Jb c');
  });

  it('sum up a run', () => {
    expect(totalsLine(snapshot(agent('0'), agent('0.1', DONE)), 3_725_000)).toBe(
      '1:02:05 · 2 agents, 1 done · 4 iterations · 2.0k tokens · $0.0200',
    );
  });
});
