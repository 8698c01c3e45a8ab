import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExportedAgent } from '../../src/results/export-agent.ts';
import type { RunDocument } from '../../src/results/run-document.ts';
import { identityOf } from '../../src/temporal/process-identity.ts';
import { itLong } from '../sizes.ts';
import { createDesk, type Desk } from './command.ts';

let desk: Desk;
beforeAll(async () => {
  desk = await createDesk();
});
afterAll(() => desk.close());

const TIME = 240_000;

/** Of a run and of what its scripted model left. */
function detail(run: string): { root_agent: ExportedAgent; patch: string; status: string } {
  return JSON.parse(readFileSync(join(desk.folder, 'results', `${run}.detail.json`), 'utf8')) as never;
}

function modelIsGone(run: string): boolean {
  const record = JSON.parse(readFileSync(join(desk.state, 'demo', `${run}.json`), 'utf8')) as {
    process: { pid: number; startTime: string };
  };
  return identityOf(record.process.pid)?.startTime !== record.process.startTime;
}

function repositoryIn(stderr: string): string {
  const path = /^Repository: .* in (.*)$/m.exec(stderr)?.[1] ?? '';
  return path.replace(/^~/, desk.folder);
}

function treeOf(agent: ExportedAgent): ExportedAgent[] {
  return [agent, ...agent.spawned_agents.flatMap(treeOf)];
}

describe('rlm demo todo', () => {
  it(
    'finds and resolves a TODO with many agents, without a key, and leaves a patch, results and nothing else',
    async () => {
      const { code, stdout, stderr } = await desk.run(['demo', 'todo', '--id', 'first', '--json', '--latency', '20'], {
        LLM_API_KEY: '',
      });
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stderr).toMatch(/No key, no cost: the model of this demo is scripted/);
      const document = JSON.parse(stdout.toString()) as RunDocument;
      expect(document).toMatchObject({ run_id: 'first', status: 'completed', max_depth: 2 });
      expect(document.agents).toBeGreaterThan(11);

      const { root_agent, patch } = detail('first');
      expect(root_agent.spawned_agents.length).toBeGreaterThanOrEqual(10);
      expect(treeOf(root_agent)).toHaveLength(document.agents);
      expect(treeOf(root_agent).filter(({ depth }) => depth === 2).length).toBeGreaterThan(0);
      const failed = treeOf(root_agent).flatMap(({ iterations }) =>
        iterations.flatMap((iteration) => iteration.parsed_code_blocks.filter(({ error }) => error !== null)),
      );
      expect(failed).toEqual([]);

      const file = join(desk.folder, 'results', 'first.patch');
      expect(readFileSync(file, 'utf8')).toBe(document.patch);
      expect(patch).toBe(document.patch);
      expect(document.patch).toMatch(/^-.*\b(TODO|FIXME|XXX)\b/m);
      execFileSync('git', ['-C', repositoryIn(stderr), 'apply', '--check', file]);
      expect(document.answer).toContain('Resolved: ');
      // The account shows the same change.
      expect(document.answer).toContain(document.patch?.slice(document.patch.indexOf('--- a/')));

      expect(await desk.leftovers()).toEqual([]);
      expect(modelIsGone('first')).toBe(true);
    },
    TIME,
  );

  itLong(
    'continues where it was after kill -9 when the same command is given again',
    async () => {
      const command = ['demo', 'todo', '--id', 'killed', '--latency', '100'];
      const killed = desk.start(command);
      await vi.waitFor(() => expect(killed.stderr()).toMatch(/\(depth 2\) started|agents started: .*\.\d+\.\d+/), {
        timeout: TIME / 2,
        interval: 20,
      });
      killed.kill();
      expect((await killed.finished).code).toBeNull();

      const { code, stdout, stderr } = await desk.run(command);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toContain('Resolved: ');
      expect(stderr).toContain('What to try next:');
      expect(stderr.match(/^.*\b(?:git|rlm) .*\bapply\b.*$/gm)).toEqual([
        expect.stringContaining('To apply it: git -C '),
      ]);
      expect(detail('killed').patch).toBe(detail('first').patch);
      expect(await desk.leftovers()).toEqual([]);
      expect(modelIsGone('killed')).toBe(true);
    },
    TIME,
  );

  itLong(
    'says so when another repository has nothing to resolve',
    async () => {
      const repository = join(desk.folder, 'other');
      mkdirSync(repository);
      writeFileSync(join(repository, 'a.js'), 'let a = 1;\n');
      const git = (...args: string[]): void =>
        void execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args]);
      git('init', '-q');
      git('add', '-A');
      git('commit', '-q', '-m', 'a');
      const { code, stdout, stderr } = await desk.run(['demo', '--repo', repository, '-o', 'empty.patch']);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toBe(
        'There is no TODO, FIXME or XXX comment in this repository, so nothing was changed.\n',
      );
      expect(statSync(join(desk.folder, 'empty.patch')).size).toBe(0);
    },
    TIME,
  );

  it('refuses what it cannot do before anything is started', async () => {
    const wrong = await desk.run(['demo', 'todo', '--latency', 'soon']);
    expect(wrong).toMatchObject({ code: 2, stderr: 'rlm: --latency takes milliseconds such as 300, not "soon".\n' });
    const id = await desk.run(['demo', 'todo', '--id', 'a/b']);
    expect(id.code).toBe(2);
    expect(id.stderr).toMatch(/^rlm: "a\/b" cannot be a run id/);
  });
});
