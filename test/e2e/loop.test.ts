import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlockRecord } from '../../src/domain/records.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { describeLong } from '../sizes.ts';
import { createWorld, git, makeRepository, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(() => world.close());

const done = (answer: string): string => withCode(`FINAL(${JSON.stringify(answer)})`);

describe.concurrent('a run', () => {
  it('edits the repository and ends with an answer and a patch that applies', async () => {
    const model = await world.startModel({
      scripts: forTask('make one return two', [
        withCode('import subprocess\nprint(open("pkg/a.py").read())\nx = 41'),
        withCode('print(edit_file("pkg/a.py", "return 1  # TODO: return two", "return 2"))\nx += 1\nx'),
        withCode('FINAL(f"x is {x}")'),
      ]),
    });
    const outcome = await world.run({ id: 'edit', prompt: 'make one return two', model });
    expect(outcome).toMatchObject({
      run_id: 'edit',
      status: 'completed',
      answer: 'x is 42',
      agents: 1,
      max_depth: 0,
      iterations: 3,
      sandboxes: 1,
      usage: { llm_calls: 3 },
      error: null,
      notes: [],
    });
    const clone = mkdtempSync(join(world.folder, 'clone-'));
    execFileSync('git', ['clone', '-q', world.repository, clone]);
    writeFileSync(join(clone, '..', 'edit.patch'), await world.patch(outcome));
    git(clone, 'apply', '--check', join(clone, '..', 'edit.patch'));
    expect((await world.patch(outcome)).toString()).toContain('+    return 2');
    expect(await world.leftovers('edit')).toEqual([]);
    rmSync(clone, { recursive: true });
    await model.close();
  });

  it('hands the answers of sub-agents and models to the code in order, at any depth', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('the root task', [
          withCode(
            'r = rlm_query_batched([f"child {i}" for i in range(4)])\nprint(r)\nprint(llm_query("ping"))\nprint(llm_query_batched(["ping", "ping 1", "ping 2"]))',
          ),
          withCode('FINAL(r + [rlm_query("one more child 4")])'),
        ]),
        forTask(/child [0-2]/, [withCode('FINAL("report of " + task)')]),
        forTask('child 3', [withCode('FINAL({"nested": rlm_query("grandchild")})')]),
        forTask('child 4', [withCode('FINAL([1, None, "x"])')]),
        forTask('grandchild', [withCode('FINAL("deep")')]),
        (conversation) =>
          conversation.messages.length === 1 ? `pong to ${conversation.messages[0]?.content}` : undefined,
      ],
    });
    const outcome = await world.run({ id: 'tree', prompt: 'the root task', model });
    expect(outcome).toMatchObject({ status: 'completed', agents: 7, max_depth: 2, sandboxes: 7 });
    expect(JSON.parse(outcome.answer ?? '')).toEqual([
      'report of child 0',
      'report of child 1',
      'report of child 2',
      '{"nested":"deep"}',
      '[1,null,"x"]',
    ]);
    const root = (await world.agents('tree')).find(({ agent }) => agent === '0');
    const blocks = (await world.chains.walk(root?.head ?? '')).filter(
      (record): record is BlockRecord => record.kind === 'block',
    );
    expect(blocks[0]?.result.stdout).toContain('pong to ping\n');
    expect(blocks[0]?.result.stdout).toContain("['pong to ping', 'pong to ping 1', 'pong to ping 2']");
    expect(blocks[0]?.spawned).toEqual(['0.1', '0.2', '0.3', '0.4']);
    expect(await world.leftovers('tree')).toEqual([]);
    await model.close();
  });

  it('stops at the first block that fails, keeps state, and shows the model what happened', async () => {
    const model = await world.startModel({
      scripts: forTask('blocks', [
        '```python\na = 1\nprint("first")\n```\nthen\n```python\n1/0\n```\n```python\nprint("never")\n```',
        ({ messages }) => {
          const seen = messages.at(-1)?.content ?? '';
          return withCode(
            `FINAL([a, ${seen.includes('ZeroDivisionError') ? 'True' : 'False'}, ${seen.includes('never') ? 'True' : 'False'}])`,
          );
        },
      ]),
    });
    const outcome = await world.run({ id: 'blocks', prompt: 'blocks', model });
    expect(outcome.answer).toBe('[1,true,false]');
    await model.close();
  });

  it('takes the text of the third reply without code as the answer', async () => {
    const model = await world.startModel({
      scripts: forTask('talk', ['I think.', 'I still think.', 'The answer is 7.']),
    });
    const outcome = await world.run({ id: 'talk', prompt: 'talk', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'The answer is 7.', iterations: 3 });
    await model.close();
  });

  it('asks for the best answer when the turns are used up', async () => {
    const model = await world.startModel({
      scripts: forTask('endless', [withCode('print(1)'), withCode('print(2)'), 'It was about numbers.']),
    });
    const outcome = await world.run({
      id: 'endless',
      prompt: 'endless',
      model,
      config: { rlm: { max_iterations: 2 } },
    });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'It was about numbers.', iterations: 2 });
    await model.close();
  });

  it('gives a batch beyond the budget as many sandboxes as are left, and errors in the places of the rest', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('budget', [withCode('r = rlm_query_batched([f"part {i}" for i in range(25)])\nFINAL(r)')]),
        forTask(/part \d+/, [withCode('FINAL(task)')]),
      ],
    });
    const outcome = await world.run({ id: 'budget', prompt: 'budget', model, config: { rlm: { max_sandboxes: 10 } } });
    const answers = JSON.parse(outcome.answer ?? '') as string[];
    expect(answers.slice(0, 9)).toEqual(Array.from({ length: 9 }, (_, i) => `part ${i}`));
    expect(answers.slice(9)).toHaveLength(16);
    for (const answer of answers.slice(9))
      expect(answer).toMatch(/^Error: the sandbox budget is used up \(rlm.max_sandboxes: 10/);
    expect(outcome.sandboxes).toBe(10);
    expect(outcome.notes).toEqual([
      '16 tasks for sub-agents got an error instead of an answer: the sandbox budget is used up (rlm.max_sandboxes: 10 for the whole run).',
    ]);
    await model.close();
  });

  it('keeps to max_llm_calls over the whole tree, to the last call', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('spend all of it', [
          withCode(
            'a = rlm_query_batched(["asker 1", "asker 2", "asker 3"])\nb = llm_query_batched(["q"] * 40)\nFINAL([a, sum(x == "ok" for x in b)])',
          ),
        ]),
        forTask(/asker \d/, [withCode('FINAL(sum(x == "ok" for x in llm_query_batched(["q"] * 20)))')]),
        (conversation) => (conversation.messages.length === 1 ? 'ok' : undefined),
      ],
    });
    const outcome = await world.run({
      id: 'calls',
      prompt: 'spend all of it',
      model,
      config: { rlm: { max_llm_calls: 70 } },
    });
    expect(await world.answer(outcome)).toEqual([['20', '20', '20'], 10]);
    expect(outcome.notes).toEqual([
      '30 prompts of llm_query got an error instead of an answer: the budget of llm_query calls is used up (rlm.max_llm_calls: 70 for the whole run).',
    ]);
    expect(model.count((call) => call.task === 'q')).toBe(70);
    await model.close();
  });

  it('refuses sub-agents below the greatest depth with an error that says why', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('shallow', [withCode('FINAL(rlm_query("level one"))')]),
        forTask('level one', [withCode('FINAL(rlm_query("level two"))')]),
      ],
    });
    const outcome = await world.run({ id: 'shallow', prompt: 'shallow', model, config: { rlm: { max_depth: 1 } } });
    expect(outcome.answer).toBe('Error: agents at depth 1 may not start sub-agents (rlm.max_depth: 1)');
    await model.close();
  });

  it('answers calls from several threads and from asyncio at once, each as soon as it is there', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('threads', [
          withCode(
            [
              'import asyncio, time',
              'from concurrent.futures import ThreadPoolExecutor',
              'with ThreadPoolExecutor(4) as pool:',
              '    a = list(pool.map(llm_query, ["t0", "t1", "t2", "t3"]))',
              'async def main():',
              '    return await asyncio.gather(*(asyncio.to_thread(llm_query, f"a{i}") for i in range(3)))',
              'b = asyncio.run(main())',
              'FINAL([a, b])',
            ].join('\n'),
          ),
        ]),
        (conversation) => {
          const prompt = conversation.messages[0]?.content ?? '';
          return conversation.messages.length === 1
            ? { text: `re ${prompt}`, latencyMs: prompt === 't0' ? 300 : 10 }
            : undefined;
        },
      ],
    });
    const outcome = await world.run({ id: 'threads', prompt: 'threads', model });
    expect(JSON.parse(outcome.answer ?? '')).toEqual([
      ['re t0', 're t1', 're t2', 're t3'],
      ['re a0', 're a1', 're a2'],
    ]);
    await model.close();
  });

  it('gives every agent a fresh clone of its own at the same commit', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('clones', [
          withCode(
            'open("pkg/a.py", "w").write("changed")\nr = rlm_query_batched(["look 1", "look 2"])\nimport subprocess\nFINAL([r, subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()])',
          ),
        ]),
        forTask(/look \d/, [
          withCode(
            'import subprocess\nout = open("pkg/a.py").read() + subprocess.check_output(["git", "rev-parse", "HEAD"], text=True)\nopen("pkg/b.py", "w").write("mine")\nFINAL(out.strip())',
          ),
        ]),
      ],
    });
    const outcome = await world.run({ id: 'clones', prompt: 'clones', model });
    const head = git(world.repository, 'rev-parse', 'HEAD').trim();
    const [reports, commit] = JSON.parse(outcome.answer ?? '') as [string[], string];
    expect(commit).toBe(head);
    for (const report of reports) expect(report).toBe(`def one():\n    return 1  # TODO: return two\n${head}`);
    const patch = (await world.patch(outcome)).toString();
    expect(patch).toContain('pkg/a.py');
    expect(patch).not.toContain('pkg/b.py');
    await model.close();
  });

  it('survives code that ends its interpreter: as if that block had not been', async () => {
    const model = await world.startModel({
      scripts: forTask('crash', [
        withCode('x = 1\nopen("kept.txt", "w").write("kept")'),
        withCode('import os\ny = 1\nos._exit(3)'),
        withCode('FINAL([open("kept.txt").read(), x, "y" in globals()])'),
      ]),
    });
    const outcome = await world.run({ id: 'crash', prompt: 'crash', model });
    expect(outcome.answer).toBe('["kept",1,false]');
    await model.close();
  });
});

describe.concurrent('input that cannot be right', () => {
  it('ends the run before a model is asked, and says what to do', async () => {
    const model = await world.startModel({ scripts: [] });
    const start = (id: string, input: unknown): Promise<unknown> =>
      world.client.workflow
        .execute('investigate', { workflowId: id, taskQueue: 'durable-rlm', args: [input] })
        .catch((error: { cause?: { message?: string } }) => error.cause?.message);
    expect(await start('bad-1', { repo: world.repository, prompt: ' ' })).toContain('prompt');
    expect(await start('bad-2', { repo: join(world.folder, 'nowhere'), prompt: 'x' })).toContain('nowhere');
    expect(await start('bad-3', { repo: world.repository, prompt: 'x', branch: 'mian' })).toContain('main');
    expect(
      await start('bad-4', { repo: world.repository, prompt: 'x', config: { rlm: { max_sandboxs: 3 } } }),
    ).toContain('max_sandboxes');
    expect(model.count()).toBe(0);
    await model.close();
  });

  it('an empty repository is one of them', async () => {
    const empty = join(world.folder, 'empty');
    execFileSync('git', ['init', '-q', empty]);
    const message = await world.client.workflow
      .execute('investigate', { workflowId: 'empty', taskQueue: 'durable-rlm', args: [{ repo: empty, prompt: 'x' }] })
      .catch((error: { cause?: { message?: string } }) => error.cause?.message);
    expect(message).toMatch(/commit/);
  });
});

describeLong('history', () => {
  it('stays small: 5 KB for an iteration without calls, early and late alike; 4 KB for each call made by itself, 1 KB in a batch', async () => {
    const turns = 30;
    const plain = await world.startModel({
      scripts: forTask('size', [
        ...Array.from({ length: turns - 1 }, (_, i) => withCode(`print("${'x'.repeat(3000)}", ${i})`)),
        done('end'),
      ]),
    });
    await world.run({ id: 'size', prompt: 'size', model: plain });
    const sizes = await turnSizes('size/0');
    expect(sizes.length).toBe(turns - 1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(5 * 1024);
    // Messages that arrive together share a workflow task, so one iteration is not like another.
    expect(average(sizes.slice(-10))).toBeLessThanOrEqual(average(sizes.slice(1, 11)) * 1.1);
    await plain.close();

    const calling = await world.startModel({
      scripts: [
        forTask('calls cost', [
          withCode('for i in range(10): llm_query(f"q{i}" * 1000)'),
          withCode('for i in range(10): rlm_query(f"sub {i}")'),
          withCode('rlm_query_batched([f"sub {i}" for i in range(10)])\nllm_query_batched(["q" * 1000] * 10)'),
          done('end'),
        ]),
        forTask(/sub \d/, [done('x'.repeat(5000))]),
        (conversation) => (conversation.messages.length === 1 ? 'a'.repeat(5000) : undefined),
      ],
    });
    await world.run({ id: 'sizes', prompt: 'calls cost', model: calling });
    const [single, agents, batches] = await turnSizes('sizes/0');
    const iteration = 5 * 1024;
    expect(single).toBeLessThanOrEqual(iteration + 10 * 4096);
    expect(agents).toBeLessThanOrEqual(iteration + 10 * 4096);
    expect(batches).toBeLessThanOrEqual(iteration + 20 * 1024);
    await calling.close();
  });
});

function average(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** Bytes of history between one model call and the next. */
async function turnSizes(workflowId: string): Promise<number[]> {
  const { temporal } = await import('@temporalio/proto');
  const history = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const sizes: number[] = [];
  for (const event of history.events ?? []) {
    const size = temporal.api.history.v1.HistoryEvent.encode(event).finish().length;
    const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (activity === 'callModel') sizes.push(0);
    if (sizes.length > 0) sizes[sizes.length - 1] = (sizes.at(-1) ?? 0) + size;
  }
  return sizes.slice(0, -1);
}

describe.concurrent('a repository with odd contents', () => {
  it('round-trips through the patch', async () => {
    const odd = makeRepository(join(world.folder, 'odd'), {
      'crlf.txt': 'a\r\nb\r\n',
      'gone.txt': 'x\n',
      'sp ace.txt': 'y\n',
    });
    const model = await world.startModel({
      scripts: forTask('odd', [
        withCode(
          [
            'import os',
            'open("crlf.txt", "ab").write(b"c\\r\\n")',
            'os.remove("gone.txt")',
            'os.chmod("sp ace.txt", 0o755)',
            'os.symlink("crlf.txt", "-link")',
            'open(b"latin-\\xe9", "wb").write(bytes(range(256)))',
            'open("new\\nline", "w").write("n")',
            'FINAL("done")',
          ].join('\n'),
        ),
      ]),
    });
    const config = { model: { name: 'openai/scripted', base_url: model.url } };
    const handle = await world.startGranted('odd', 'investigate', { repo: odd, prompt: 'odd', config });
    const outcome = (await handle.result()) as Awaited<ReturnType<World['run']>>;
    writeFileSync(join(world.folder, 'odd.patch'), await world.patch(outcome));
    git(odd, 'apply', '--index', join(world.folder, 'odd.patch'));
    expect(git(odd, 'status', '--porcelain').split('\n').filter(Boolean)).toHaveLength(6);
    await model.close();
  });
});
