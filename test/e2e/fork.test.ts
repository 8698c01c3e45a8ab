import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { planFork, type ForkArguments } from '../../src/client/start-fork.ts';
import type { ForkRecord, RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type Conversation } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

/** Runs that take up the work of another: continued after its end, or forked from an iteration of it. */
vi.setConfig({ testTimeout: 120_000 });
let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(async () => {
  try {
    expect(await world.leftovers()).toEqual([]);
  } finally {
    await world.close();
  }
});

/** As `rlm continue` and `rlm fork` do it. */
async function takeUp(kind: 'continue' | 'fork', request: ForkArguments): Promise<{ id: string; outcome: RunOutcome }> {
  const { plan } = await planFork(world.blobs, request, kind);
  const { type, input } = await plan.prepare();
  const handle = await world.startGranted(plan.run, type, input);
  return { id: plan.run, outcome: (await handle.result()) as RunOutcome };
}

const isForked = ({ last }: Conversation): boolean => last.includes('report what you have');
const STATE =
  'import subprocess, pathlib\nFINAL([seen, next(g), sorted(p.name for p in pathlib.Path(".").glob("*.txt")), ' +
  'subprocess.run(["git", "status", "--short"], capture_output=True, text=True).stdout, one, asked])';

describe('a fork', () => {
  const all = Array.from({ length: 10 }, (_, at) => at + 1);
  const iterations = sized([4, 10], all);
  it(`at iterations ${iterations.join(', ')} has the variables, files and git state that the run had there, without a model call`, async () => {
    const turn = (at: number): string =>
      withCode(
        at === 1
          ? 'seen = [1]\ng = iter(range(100))\none = lambda: 1\none = one()\nasked = []\nopen("1.txt", "w").write("x")'
          : `seen.append(${at})\nnext(g)\nasked.append(${at % 3 === 0 ? `rlm_query("part ${at}")` : `llm_query("q${at}")`})\n` +
              `open("${at}.txt", "w").write("x")\nedit_file("pkg/b.py", "return ${at === 2 ? 2 : (at - 1) * 11}", "return ${at * 11}")`,
      );
    const steps = Array.from(
      { length: 11 },
      (_, at) =>
        (conversation: Conversation): string =>
          isForked(conversation) ? withCode(STATE) : at === 10 ? withCode('FINAL("done")') : turn(at + 1),
    );
    const model = await world.startModel({
      scripts: [
        forTask('ten turns', steps),
        forTask(/part \d/, [withCode('FINAL("answer to " + task)')]),
        ({ messages }) => (messages.length === 1 ? 'a' : undefined),
      ],
    });
    const first = await world.run({ id: 'ten', prompt: 'ten turns', model });
    expect(first).toMatchObject({ status: 'completed', answer: 'done', iterations: 14, agents: 4 });
    const before = model.count();

    const forks = await Promise.all(
      iterations.map((at) => takeUp('fork', { run: 'ten', at, message: 'report what you have' })),
    );
    for (const [index, { id, outcome }] of forks.entries()) {
      const at = iterations[index] ?? 0;
      const through = Array.from({ length: at }, (_, n) => n + 1);
      const answers = through.slice(1).map((n) => (n % 3 === 0 ? `answer to part ${n}` : 'a'));
      const files = through.map((n) => `${n}.txt`).toSorted();
      const status = [...(at > 1 ? [' M pkg/b.py'] : []), ...files.map((name) => `?? ${name}`)];
      expect(id).toBe(`ten-at-${at}+2`);
      expect(outcome).toMatchObject({ status: 'completed', iterations: 1, agents: 1, sandboxes: 1 });
      // oxlint-disable-next-line no-await-in-loop -- of one after another
      expect(await world.answer(outcome)).toEqual([through, at - 1, files, `${status.join('\n')}\n`, 1, answers]);
      expect(outcome.usage.llm_calls).toBe(1);
    }
    expect(model.count() - before).toBe(iterations.length);
    const [fork] = await forksOf('ten-at-4+2');
    expect(fork).toMatchObject({ from: { run: 'ten', agent: '0' }, iteration: 5, message: 'report what you have' });
    await model.close();
  });

  it('takes up a sub-agent, with another model, and numbers new sub-agents after those it shares', async () => {
    const models: string[] = [];
    const model = await world.startModel({
      scripts: [
        forTask('the lead', [withCode('FINAL(rlm_query("the helper"))')], {
          when: ({ opening }) => !opening.includes('helper'),
        }),
        forTask('the helper', [
          withCode('parts = [rlm_query("a leaf")]'),
          (conversation) => {
            models.push(conversation.model);
            return isForked(conversation)
              ? withCode('parts.append(rlm_query("a leaf"))\nFINAL(parts)')
              : withCode('FINAL(1)');
          },
        ]),
        forTask('a leaf', [withCode('FINAL("leaf")')]),
      ],
    });
    await world.run({ id: 'lead', prompt: 'the lead', model });
    const config = { model: { name: 'openai/another', base_url: model.url } };
    const { outcome } = await takeUp('fork', {
      run: 'lead',
      agent: '0.1',
      at: 1,
      message: 'report what you have',
      id: 'promoted',
      config,
    });
    expect(await world.answer(outcome)).toEqual(['leaf', 'leaf']);
    expect(models).toEqual(['scripted', 'another']);
    expect((await world.agents('promoted')).map(({ agent }) => agent)).toEqual(['0', '0.2']);
    await model.close();
  });

  it('is refused where there is nothing to take up', async () => {
    const fork = (request: Partial<ForkArguments>): Promise<unknown> =>
      planFork(world.blobs, { run: 'lead', ...request }, 'fork');
    await expect(fork({ run: 'nobody' })).rejects.toThrow('There is no run "nobody"');
    await expect(fork({ agent: '0.9' })).rejects.toThrow('Run "lead" has no agent 0.9.');
    await expect(fork({ at: 7 })).rejects.toThrow('no iteration 7: it has iterations 1 to 1, and 0 is its task alone');
    const unknown = await world.startGranted('bad-from', 'investigate', { fork: { run: 'lead', until: 3 } });
    await expect(unknown.result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('`fork.until` is not known'), type: 'Input.Invalid' },
    });
  });
});

describe('a run that is continued', () => {
  it('has the conversation, variables and files; its answer and costs are its own', async () => {
    const heard: string[] = [];
    const model = await world.startModel({
      scripts: forTask('count the files', [
        withCode('n = 3\nprint(edit_file("pkg/b.py", "return 2", "return 22"))\n'),
        withCode('FINAL(n)'),
        ({ last }) => {
          heard.push(last);
          return withCode('FINAL(n * 2)');
        },
        'No code now.',
        withCode('FINAL(n * 4)'),
      ]),
    });
    expect(await world.run({ id: 'count', prompt: 'count the files', model })).toMatchObject({ answer: '3' });
    const second = await takeUp('continue', { run: 'count', message: 'now twice that' });
    expect(second).toMatchObject({ id: 'count+2', outcome: { status: 'completed', answer: '6', iterations: 1 } });
    expect(heard[0]).toContain('The work continues, with a message from the person you work for.');
    expect(heard[0]).toContain('now twice that\n\nVariables and files are as your code left them. Call FINAL again');
    expect((await world.patch(second.outcome)).toString()).toContain('+    return 22');
    const third = await takeUp('continue', { run: 'count+2', message: 'and twice again' });
    expect(third).toMatchObject({ id: 'count+3', outcome: { answer: '12', iterations: 2, usage: { llm_calls: 2 } } });
    expect(model.count()).toBe(5);
    await model.close();
  });

  it('of an analysis gives its fields again', async () => {
    const model = await world.startModel({
      scripts: [
        ({ turn, last }) =>
          turn === 0
            ? withCode('total = sum(numbers)\nSUBMIT(answer=total)')
            : withCode(`SUBMIT(answer=total + ${last.includes('Call SUBMIT again') ? 1 : 0})`),
      ],
    });
    const signature = 'numbers: list[int] -> answer: int';
    const first = await world.analyze({ id: 'sum', model, signature, inputs: { numbers: [1, 2] }, stored: true });
    expect(await world.answer(first)).toEqual({ answer: 3 });
    const { outcome } = await takeUp('continue', { run: 'sum', message: 'one more' });
    expect(await world.answer(outcome)).toEqual({ answer: 4 });
    await model.close();
  });
});

async function forksOf(run: string): Promise<ForkRecord[]> {
  const root = (await world.agents(run)).find(({ agent }) => agent === '0');
  const records = await world.chains.walk(root?.head ?? '');
  return records.filter((record): record is ForkRecord => record.kind === 'fork');
}
