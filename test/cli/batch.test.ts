import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { progressLine } from '../../src/cli/batch/progress-line.ts';
import { fillTemplate } from '../../src/cli/batch/read-items.ts';
import { renderReport, summaryOf } from '../../src/cli/batch/report.ts';
import { NO_COUNTS, type BatchReport, type BatchState } from '../../src/domain/batch.ts';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import type { DevServer } from '../../src/temporal/dev-server.ts';
import { startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createDesk, type Desk, type Finished } from '../e2e/command.ts';
import { sized } from '../sizes.ts';
import { keepServer, runHere } from './in-process.ts';

/** `rlm batch`, as a person types it. */
vi.setConfig({ testTimeout: 180_000 });
let desk: Desk;
let model: ScriptedModel;
let server: DevServer;
const ITEMS = sized(15, 20);

beforeAll(async () => {
  desk = await createDesk();
  server = await keepServer(desk);
  model = await startScriptedModel({
    scripts: [
      ({ opening }) => {
        if (/bytes: 13$/m.test(opening))
          return { error: { status: 400, body: { error: { message: 'not this one' } } } };
        if (opening.includes('Treble it')) return withCode('SUBMIT(double=3 * n)');
        return withCode(opening.includes('body') ? 'SUBMIT(same=body)' : 'SUBMIT(double=2 * n)');
      },
    ],
    latencyMs: 150,
  });
  desk.configure(
    JSON.stringify({
      model: {
        name: 'openai/scripted',
        base_url: model.url,
        check: false,
        prices: { 'openai/scripted': { input: 0.001, output: 0.001 } },
      },
      sandbox: desk.settings.sandbox,
    }),
  );
  writeFileSync(join(desk.folder, 'numbers.csv'), `n\n${Array.from({ length: ITEMS }, (_, n) => n).join('\n')}\n`);
});
afterAll(async () => {
  await server.release({ wait: true });
  await model.close({ check: false });
  await desk.close();
});

const rlm = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished> => runHere(desk, args, env);
const BATCH = ['batch', 'numbers.csv', '-s', 'n: int -> double: int', '-n', '4', '--report', 'report.json'];
const report = (): BatchReport => JSON.parse(readFileSync(join(desk.folder, 'report.json'), 'utf8')) as BatchReport;

describe('a batch', () => {
  it('that is killed continues: each item ends once, a kill costs what was in flight, a failure is its own', async () => {
    for (const done of sized([3], [3, 8])) {
      const command = desk.start(BATCH);
      // oxlint-disable-next-line no-await-in-loop -- one kill after another
      await vi.waitFor(() => expect(doneOf(command.stderr())).toBeGreaterThanOrEqual(done), 90_000);
      command.kill();
      // oxlint-disable-next-line no-await-in-loop -- as above
      await command.finished;
    }
    const last = await rlm(BATCH);
    expect(last.code, last.stderr).toBe(1);
    const { items, counts } = report();
    expect(items.map(({ item }) => item)).toEqual(Array.from({ length: ITEMS }, (_, n) => `item ${n + 1}`));
    expect(new Set(items.map(({ run }) => run)).size).toBe(ITEMS);
    expect(items.map(({ status, answer }) => (status === 'completed' ? answer : status))).toEqual(
      Array.from({ length: ITEMS }, (_, n) => (n === 13 ? 'failed' : `{"double":${2 * n}}`)),
    );
    expect(counts).toMatchObject({ completed: ITEMS - 1, failed: 1, not_started: 0 });
    // A kill costs at most the calls that were in flight.
    expect(model.paidTwice().length).toBeLessThanOrEqual(sized(1, 2) * 4);
    expect(Math.max(...[...last.stderr.matchAll(/(\d+) running/g)].map(([, count]) => Number(count)))).toBeLessThan(5);
  });

  it('that has ended runs nothing again, and says so; what failed, on request', async () => {
    const calls = model.count();
    const again = await rlm(BATCH);
    expect(again.stderr).toContain(
      `${ITEMS - 1} completed, 1 failed. Nothing ran, and nothing changed since the last time.`,
    );
    expect(report().items.filter(({ is_new }) => is_new)).toEqual([]);
    expect(model.count()).toBe(calls);
    const retried = await rlm([...BATCH, '--retry-failed']);
    expect(retried.stderr).toContain('1 ran this time');
    expect(
      report()
        .items.filter(({ is_new }) => is_new)
        .map(({ item }) => item),
    ).toEqual(['item 14']);
  });

  it('that has ended is shown by its name: how it stands, and its report', async () => {
    const result = await rlm(['result', 'numbers']);
    expect(result.stdout.toString()).toContain(`# Batch numbers\n\n${ITEMS} items: `);
    expect(result.stdout.toString()).toMatch(/^\| item 3 \| completed \| \{"double":4\} \| .* \| numbers\.\w{10} \|$/m);
    expect(result.code).toBe(1);
    expect((await rlm(['status', 'numbers'])).stdout.toString()).toMatch(
      /^numbers · \d+ items: \d+ completed, 1 failed/,
    );
    expect((await rlm(['patch', 'numbers'])).stderr).toContain(
      'numbers is a batch: rlm result numbers lists its runs.',
    );
    expect((await rlm(['result', 'letters'])).stderr).toContain('There is no run "letters"');
  });

  it('whose items have the same id does all of them, and says so', async () => {
    writeFileSync(join(desk.folder, 'twins.csv'), '\u{FEFF}id,n\nx,1\nx,2\ny,3\n');
    const twins = await rlm(['batch', 'twins.csv', '-s', 'n: int -> double: int', '--report', 'twins.json']);
    expect(twins.stderr).toContain('2 items have the id "x": all of them run.');
    const { items }: BatchReport = JSON.parse(readFileSync(join(desk.folder, 'twins.json'), 'utf8')) as BatchReport;
    expect(items.map(({ item, answer }) => [item, answer])).toEqual([
      ['x', '{"double":2}'],
      ['x', '{"double":4}'],
      ['y', '{"double":6}'],
    ]);
  });

  it('that Temporal ended without a report is told as a batch all the same', async () => {
    const temporal = await connect(embeddedTarget(server));
    try {
      const start = (workflowId: string, input: object): Promise<unknown> =>
        temporal.client.workflow.start('batch', { workflowId, taskQueue: 'durable-rlm', args: [input] });
      await start('ended', { items: [] });
      await temporal.client.workflow.getHandle('ended').terminate();
      const lines = [
        [['status', 'ended'], 0, 'ended · batch, terminated before it could write its report'],
        [['result', 'ended'], 1, 'ended · batch, terminated before it could write its report'],
        [['patch', 'ended'], 2, 'ended is a batch'],
      ] as const;
      for (const [args, code, text] of lines) {
        // oxlint-disable-next-line no-await-in-loop -- one after another
        const shown = await rlm(args);
        expect(`${shown.stdout.toString()}${shown.stderr}`).toContain(text);
        expect(shown.code).toBe(code);
      }
    } finally {
      await temporal.close();
    }
  });

  it('has its signature and instructions from files', async () => {
    writeFileSync(join(desk.folder, 'two.csv'), 'n\n1\n2\n');
    writeFileSync(join(desk.folder, 'double.yaml'), 'signature: "n: int -> double: int"\n');
    writeFileSync(join(desk.folder, 'how.md'), 'Treble it.\n');
    const args = ['batch', 'two.csv', '-s', '@double.yaml', '--report', 'two.json', '--instructions'];
    const missing = await rlm([...args, '@none.md']);
    expect(missing.stderr).toMatch(/^rlm: There is no file none\.md with instructions \(it was looked for at/m);
    expect(missing.code).toBe(2);
    expect((await rlm([...args, '@how.md'])).code).toBe(0);
    const { items }: BatchReport = JSON.parse(readFileSync(join(desk.folder, 'two.json'), 'utf8')) as BatchReport;
    expect(items.map(({ answer }) => answer)).toEqual(['{"double":3}', '{"double":6}']);
  });

  it('is refused before anything is spent where an item is wrong', async () => {
    const missing = await rlm(['batch', 'none.csv', '-s', 'n: int -> double: int']);
    expect(missing.stderr).toMatch(/^rlm: There is no file none\.csv with items: it was looked for at .*none\.csv\.$/m);
    const column = await rlm(['batch', 'numbers.csv', '-s', 'm: int -> double: int']);
    expect(column.stderr).toContain("Item 1 has no field m: it has n. -i takes another, such as -i 'm={{n}}'.");
    const wrong = await rlm(['batch', 'numbers.csv', '--repo', '.', '-p', 'Look at {{path}}']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('Item 1 has no field "path" for {{path}}: it has n.');
    const dear = await rlm([...BATCH, '--ask-above', '0.0000001']);
    expect(dear.code).toBe(2);
    expect(dear.stderr).toMatch(/about .* \(the mean of \d+ earlier runs\)/);
    expect(dear.stderr).toContain('(--ask-above). Add --yes to start it all the same.');
  });
});

describe('an item', () => {
  it('is a value where its template names no file, whatever it begins with', async () => {
    const bodies = sized(['@secret.txt', '-'], ['@secret.txt', '@@twice', '-', '@numbers.csv;encoding=utf-8', 'plain']);
    writeFileSync(join(desk.folder, 'secret.txt'), 'of the user');
    writeFileSync(
      join(desk.folder, 'bodies.csv'),
      `text,file\n${bodies.map((body) => `${body},secret.txt`).join('\n')}\n`,
    );
    const batch = ['batch', 'bodies.csv', '-s', 'body -> same', '--report', 'bodies.json'];
    const said = async (template: string): Promise<unknown[]> => {
      const { code, stderr } = await rlm([...batch, '-i', `body=${template}`]);
      expect(code, stderr).toBe(0);
      const { items }: BatchReport = JSON.parse(readFileSync(join(desk.folder, 'bodies.json'), 'utf8'));
      return items.map(({ answer }) => answer).map((answer) => (JSON.parse(answer ?? '') as { same: string }).same);
    };
    expect(await said('{{text}}')).toEqual(bodies);
    expect(await said('@{{file}}')).toEqual(bodies.map(() => 'of the user'));
  });
});

describe('a recording', () => {
  it('does a run again without a model and without a key; another run is told where it differs', async () => {
    const analyze = (n: number, ...more: string[]): string[] =>
      ['analyze', '-s', 'n: int -> double: int', '-i', `n=${n}`, '--json'].concat(more);
    expect(await rlm(analyze(21, '--record', 'run.jsonl'))).toMatchObject({ code: 0 });
    const calls = model.count();
    const replayed = await rlm(analyze(21, '--replay', 'run.jsonl'), { LLM_API_KEY: '' });
    expect(replayed.code, replayed.stderr).toBe(0);
    expect(JSON.parse(replayed.stdout.toString())).toMatchObject({
      answer: { double: 42 },
      usage: { cost: 0, llm_calls: 1 },
    });
    const other = await rlm(analyze(22, '--replay', 'run.jsonl'));
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/The recording .*run\.jsonl has no answer to this request \(turn, 2 messages\)/);
    expect(model.count()).toBe(calls);
  });
});

function doneOf(stderr: string): number {
  return Number([...stderr.matchAll(/(\d+) of \d+ done/g)].at(-1)?.[1] ?? 0);
}

describe('what is shown of a batch', () => {
  const whole: BatchReport = {
    batch: 'b',
    execution: 'e',
    total: 2,
    counts: { ...NO_COUNTS, completed: 1, failed: 1 },
    cost: 0.5,
    started_at: '2026-01-01T00:00:00.000Z',
    ended_at: '2026-01-01T00:01:00.000Z',
    items: [
      {
        item: 'a,b',
        run: 'b.1',
        status: 'completed',
        is_new: true,
        answer: 'x | "y"\nz',
        error: null,
        has_patch: true,
        cost: 0.25,
        execution_time: 1,
      },
      {
        item: 'c',
        run: 'b.2',
        status: 'failed',
        is_new: true,
        answer: null,
        error: 'why',
        has_patch: false,
        cost: 0.25,
        execution_time: 1,
      },
    ],
  };

  it('is a table of Markdown, or of CSV, with every value in its cell', () => {
    const markdown = renderReport(whole, 'md').split('\n');
    expect(markdown[2]).toBe('2 items: 1 completed, 1 failed. 2 ran this time, for $0.50.');
    expect(markdown.slice(6, 8)).toEqual([
      String.raw`| a,b | completed | x \| "y" z | yes | $0.25 | b.1 |`,
      '| c | failed | why |  | $0.25 | b.2 |',
    ]);
    const csv = renderReport(whole, 'csv');
    expect(csv).toContain('item,status,answer,error,has_patch,cost,execution_time,is_new,run\n');
    expect(csv).toContain('"a,b",completed,"x | ""y""\nz",');
    expect(summaryOf({ ...whole, counts: { ...NO_COUNTS, kept_completed: 2 } })).toContain('nothing changed');
  });

  it('is how far it is, and the time left as the items so far took', () => {
    const state = (completed: number): BatchState => ({
      status: 'running',
      reason: null,
      total: 100,
      counts: { ...NO_COUNTS, completed, kept_completed: 10 },
      running: ['b.1', 'b.2'],
      cost: 0.2,
      max_cost: null,
      notes: [],
      started_at: 0,
    });
    expect(progressLine(state(30), state(0), 60_000)).toBe('40 of 100 done, 2 running, $0.20, about 2:00 left');
    const paused: BatchState = { ...state(30), status: 'paused', reason: 'lunch' };
    expect(progressLine(paused, state(0), 60_000)).toBe('40 of 100 done, paused (lunch), $0.20');
  });

  it('fills the fields of an item into a template', () => {
    expect(fillTemplate('Look at {{ path }}: {{n}}', { path: 'a.py', n: 3 }, 0)).toBe('Look at a.py: 3');
    expect(() => fillTemplate('{{x}}', { path: 'a.py' }, 4)).toThrow('Item 5 has no field "x" for {{x}}: it has path.');
  });
});
