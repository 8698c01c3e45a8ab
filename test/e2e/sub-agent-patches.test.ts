import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findRun } from '../../src/results/find-run.ts';
import { createResultsWriter } from '../../src/results/results-files.ts';
import { createRunReader } from '../../src/results/run-reader.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(() => world.close());

interface Merged {
  readonly applied: boolean;
  readonly conflicts: readonly { path: string; hunks: readonly { theirs: string }[] }[];
}

describe('the changes of sub-agents', () => {
  it('of ten, seven fit and three conflict: the seven are merged, the three are data, nothing is half applied', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('merge ten', [
          withCode('edit_file("pkg/b.py", "return 2", "return 20")'),
          withCode(
            [
              'reports = rlm_query_batched([f"edit {i}" for i in range(10)])',
              'merged = [apply_patch(report) for report in reports]',
            ].join('\n'),
          ),
          withCode(
            'FINAL({"merged": merged, "files": [r.files for r in reports], "usage": reports[0].usage, "plain": str(reports[3]), "diff": open("pkg/b.py").read()})',
          ),
        ]),
        ({ opening }) => {
          const number = /edit (\d)/.exec(opening)?.[1];
          if (number === undefined) return undefined;
          const own = `open("made-${number}.txt", "w").write("by ${number}\\n")`;
          const same = Number(number) < 7 ? '' : `\nedit_file("pkg/b.py", "return 2", "return 3${number}")`;
          return withCode(`${own}${same}\nFINAL("done ${number}")`);
        },
      ],
    });
    const config = { rlm: { collect_patches: true } };
    const outcome = await world.run({ id: 'ten', prompt: 'merge ten', model, config });
    expect(outcome).toMatchObject({ status: 'completed', error: null });
    const answer = (await world.answer(outcome)) as {
      merged: readonly Merged[];
      files: readonly string[][];
      usage: object;
      plain: string;
      diff: string;
    };
    expect(answer.merged.map(({ applied }) => applied)).toEqual([...Array(7).fill(true), ...Array(3).fill(false)]);
    for (const [index, { conflicts }] of answer.merged.slice(7).entries()) {
      expect(conflicts).toMatchObject([
        { path: 'pkg/b.py', hunks: [{ theirs: expect.stringContaining(`return 3${index + 7}`) }] },
      ]);
    }
    expect(answer.files[3]).toEqual(['made-3.txt']);
    expect(answer.files[8]).toEqual(['made-8.txt', 'pkg/b.py']);
    expect(answer.usage).toMatchObject({ llm_calls: 1, input_tokens: expect.any(Number), cost: 0 });
    expect(answer.plain).toBe('done 3');
    const patch = (await world.patch(outcome)).toString();
    for (let i = 0; i < 10; i += 1) expect(patch.includes(`+by ${i}\n`), `made-${i}`).toBe(i < 7);
    expect(patch).toContain('+    return 20');

    const found = await findRun(world.blobs, 'ten');
    const reader = createRunReader(world.blobs, { run: 'ten', execution: found?.execution ?? '' });
    const snapshot = await reader.snapshot();
    if (snapshot === undefined) throw new Error('nothing of it is stored');
    const folder = join(world.folder, 'results');
    const elsewhere = join(world.folder, 'elsewhere');
    for (const path of [folder, elsewhere]) mkdirSync(path);
    // As it may come with a stranger's folder.
    symlinkSync(elsewhere, join(folder, 'ten.patches'));
    await createResultsWriter({ blobs: world.blobs, reader, folder, run: 'ten' }).write(snapshot);
    expect(readdirSync(join(folder, 'ten.patches')).toSorted()).toEqual(
      ['0', ...Array.from({ length: 10 }, (_, i) => `0.${i + 1}`)].map((agent) => `${agent}.patch`).toSorted(),
    );
    expect(readFileSync(join(folder, 'ten.patches', '0.9.patch'), 'utf8')).toContain('+by 8\n');
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(await world.leftovers('ten')).toEqual([]);
    await model.close();
  });

  it('pass from grandchildren to the root, and come again when a sandbox was lost', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('level one', [
          withCode('report = rlm_query("level two")\nprint(apply_patch(report)["files"])'),
          withCode('llm_query("wait for the loss")'),
          withCode('FINAL([report.files, open("below.txt").read()])'),
        ]),
        forTask('level two', [
          withCode('r = rlm_query("level three")\napply_patch(r)\nedit_file("pkg/b.py", "return 2", "return 5")'),
          withCode('FINAL(r.files)'),
        ]),
        forTask('level three', [withCode('open("below.txt", "w").write("from below\\n")\nFINAL("done")')]),
        async ({ messages }) => {
          if (messages.length !== 1) return undefined;
          await world.killSandbox('deep', '0');
          return 'it is lost';
        },
      ],
    });
    const outcome = await world.run({ id: 'deep', prompt: 'level one', model });
    expect(outcome).toMatchObject({ status: 'completed', error: null, max_depth: 2 });
    expect(await world.answer(outcome)).toEqual([['below.txt', 'pkg/b.py'], 'from below\n']);
    const patch = (await world.patch(outcome)).toString();
    expect(patch).toContain('+from below');
    expect(patch).toContain('+    return 5');
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('of one that fails are with its caller as well; without any there is no patch', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('ask two', [
          withCode(
            'a, b = rlm_query_batched(["idle one", "failing one"])\nFINAL([a.patch, a.files, b.files, b.startswith("Error:")])',
          ),
        ]),
        forTask('idle one', [withCode('import subprocess\nsubprocess.run(["git", "status"])\nFINAL("x")')]),
        forTask('failing one', [
          withCode('open("half.txt", "w").write("half\\n")\nprint("a beginning")'),
          { error: { status: 400, body: { error: { message: 'no' } } } },
        ]),
      ],
    });
    const outcome = await world.run({ id: 'two', prompt: 'ask two', model, config: { rlm: { on_error: 'fail' } } });
    expect(await world.answer(outcome)).toEqual(['', [], ['half.txt'], true]);
    await model.close();
  });
});
