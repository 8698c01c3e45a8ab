import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { renderTree, type TreeView } from '../../../src/cli/live/tree.ts';
import { displayWidth } from '../../../src/cli/live/text.ts';
import { agentDepth } from '../../../src/domain/ids.ts';
import type { AgentReference } from '../../../src/domain/records.ts';
import { NO_USAGE } from '../../../src/domain/usage.ts';
import type { RunSnapshot } from '../../../src/results/run-snapshot.ts';

const START = Date.UTC(2026, 0, 1);
const NOW = START + 83_000;

function agent(id: string, fields: Partial<AgentReference> = {}): AgentReference {
  return {
    head: 'h',
    agent: id,
    depth: agentDepth(id),
    task: `Look for TODO comments in part ${id} and say how hard each would be to resolve`,
    state: 'thinking',
    iteration: 2,
    sandbox: 's',
    usage: { input_tokens: 12_345, output_tokens: 678, cost: 0.0123, llm_calls: 2 },
    started_at: START + 1000,
    updated_at: NOW,
    ...fields,
  };
}

const DONE = { state: 'done', status: 'completed', ended_at: START + 43_000 } as const;

/** The reference's example: 25 sub-agents, 15 below the first five of them. */
function fortyOne(): AgentReference[] {
  const agents = [agent('0', { state: 'waiting', iteration: 3, task: 'Fix the easiest TODO' })];
  for (let n = 1; n <= 25; n += 1) {
    const parent = n <= 5;
    agents.push(agent(`0.${n}`, parent ? { state: 'waiting' } : n % 3 === 0 ? { state: 'running' } : DONE));
    for (let m = 1; m <= (parent ? 3 : 0); m += 1)
      agents.push(agent(`0.${n}.${m}`, m === 1 ? { state: 'starting', iteration: 0, usage: NO_USAGE } : DONE));
  }
  return agents;
}

function view(agents: AgentReference[], fields: Partial<TreeView> = {}): TreeView {
  const snapshot: RunSnapshot = {
    run: { run: 'todo', execution: 'e', spec: 's', cluster: 'c', namespace: 'n', started_at: START },
    agents,
  };
  return { snapshot, run: 'todo', status: 'running', now: NOW, columns: 100, rows: 60, color: false, ...fields };
}

function rendered(agents: AgentReference[], fields: Partial<TreeView> = {}): string {
  return `\n${renderTree(view(agents, fields)).join('\n')}\n`;
}

describe('the live tree', () => {
  it('shows each agent with depth, iteration, what it does, time, tokens, cost and task', () => {
    expect(
      rendered([
        agent('0', { state: 'waiting', task: 'Fix the easiest TODO' }),
        agent('0.1', { state: 'running', iteration: 12 }),
        agent('0.1.1', { state: 'starting', iteration: 0, usage: NO_USAGE, started_at: NOW - 400 }),
        agent('0.2', DONE),
        agent('0.3', { ...DONE, status: 'failed' }),
      ]),
    ).toMatchSnapshot();
  });

  it('collapses what is finished first when the window is low', () => {
    expect(rendered(fortyOne(), { rows: 24 })).toMatchSnapshot();
  });

  it('shows the beginning of a run before any agent is there', () => {
    expect(rendered([], { snapshot: undefined, status: 'starting' })).toBe('\ntodo · starting\n');
  });

  it('shows a reason whole, in lines no wider than the window, and what to type in one line where it fits', () => {
    const [why, next] = [
      'the budget is used up;',
      'raise it with rlm budget todo --max-cost <more> && rlm resume todo',
    ];
    const shown = (columns: number): string[] =>
      renderTree(view([agent('0')], { status: 'paused', reason: `${why} ${next}`, columns })).slice(2, -1);
    expect(shown(100)).toEqual([`${why} ${next}`]);
    expect(shown(80)).toEqual([why, next]);
    expect(shown(40)).toEqual([why, 'raise it with rlm budget todo --max-cost', '<more> && rlm resume todo']);
  });

  it('says of an agent what it says itself', () => {
    const agents = [agent('0', { state: 'waiting' }), agent('0.1', { state: 'running' }), agent('0.2')];
    const standing = new Map([
      ['0.1', 'paused'],
      ['0.2', 'pausing'],
    ]);
    const [, , , first, second] = renderTree(view(agents, { standing }));
    expect(first).toMatch(/^├ ‖ 0\.1 .* paused /);
    expect(second).toMatch(/^└ [^‖] 0\.2 .* pausing /);
  });

  it('says what run is continued, and what the money is of', () => {
    const shown = view([agent('0', { iteration: 5 })], { limits: { max_cost: 2 } });
    const { run, agents } = shown.snapshot ?? { agents: [] };
    if (run === undefined) throw new Error('no run');
    const from = { run: 'before', execution: 'e', agent: '0.1', iteration: 3 };
    const [title, totals] = renderTree({ ...shown, snapshot: { run: { ...run, from }, agents } });
    expect(title).toBe('todo · running · continues agent 0.1 of before after iteration 3');
    expect(totals).toContain('· 2 iterations ·');
    expect(totals).toContain('· $0.0123 of $2.00');
  });

  it('says why a run is paused', () => {
    const lines = renderTree(view([agent('0')], { status: 'paused', reason: 'agent 0: 401\nno such key' }));
    expect(lines.slice(0, 3)).toEqual([
      'todo · paused',
      expect.stringContaining('1 agent'),
      'agent 0: 401 no such key',
    ]);
  });

  it.each(['paused', 'suspended', 'terminated', 'failed'])(
    'stands still while a run is %s: no spinner, no clock, nothing that works',
    (status) => {
      const agents = [agent('0', { updated_at: START + 5000 })];
      const lines = renderTree(view(agents, { status, reason: 'rlm resume todo continues' }));
      expect(lines).toEqual(
        renderTree(view(agents, { status, reason: 'rlm resume todo continues', now: NOW + 60_000 })),
      );
      expect(lines.join('\n')).toMatch(
        /^todo · \w+\n0:05 .*\nrlm resume todo continues\n‖ 0 .* (paused|suspended|terminated|failed) .* 0:04 /,
      );
      expect(lines.join('\n')).not.toContain('asking the model');
    },
  );

  it('never fills more than the window, whatever its size', () => {
    const agents = fortyOne();
    for (const columns of [10, 20, 40, 60, 79, 80, 120, 300]) {
      for (const rows of [1, 2, 3, 5, 10, 24, 100]) {
        const lines = renderTree(view(agents, { columns, rows, color: true })).map((line) =>
          stripVTControlCharacters(line),
        );
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('counts every agent, shown or not', () => {
    for (const rows of [5, 8, 12, 20, 30, 43]) {
      const lines = renderTree(view(fortyOne(), { rows }));
      const shown = lines.filter((line) => /[✓◌⠋-⠿] 0/u.test(line)).length;
      const hidden = [...lines.join('\n').matchAll(/(\d+) more/g)].reduce((sum, match) => sum + Number(match[1]), 0);
      expect(shown + hidden).toBe(41);
    }
  });

  it('keeps a line straight whose task has wide characters, and lets no escape sequence through', () => {
    const tasks = [
      '検索エンジンのすべてのTODOコメントを調べる',
      '👩‍👩‍👧 family',
      'e\u0301te\u0301',
      '\u001b[31mred\u001b[2J\nnext\u202eabc',
    ];
    const lines = renderTree(
      view([agent('0'), ...tasks.map((task, index) => agent(`0.${index + 1}`, { task }))], { columns: 90 }),
    );
    const tree = lines.slice(2);
    const widths = tree.map((line) => displayWidth(line.slice(0, line.indexOf('$0.0123'))));
    expect(new Set(widths).size).toBe(1);
    for (const line of tree) expect(displayWidth(line)).toBeLessThanOrEqual(90);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it('colours only when asked to', () => {
    expect(rendered(fortyOne())).not.toContain('\u001b');
    expect(rendered(fortyOne(), { color: true })).toContain('\u001b[');
  });

  it('shows an agent whose parent has stored nothing yet', () => {
    expect(rendered([agent('0'), agent('0.1.1')])).toContain('0.1.1');
  });
});
