import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import { withCode, type ScriptFunction } from '../../src/testing/index.ts';
import { itLong } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 60_000 });

/** The replies of a root agent, turn by turn; anybody else is answered by `others`. */
function analyst(
  turns: readonly (string | ScriptFunction)[],
  others: ScriptFunction = () => undefined,
): ScriptFunction {
  return (conversation) => {
    if (!conversation.opening.startsWith('You are an analyst. You are given')) return others(conversation);
    const turn = turns[Math.min(turns.length - 1, conversation.turn)];
    return typeof turn === 'string' ? withCode(turn) : turn?.(conversation);
  };
}

describe.concurrent('an analysis', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  it('gives the fields of its signature, its documents read by the language model', async () => {
    const documents = ['the sea is blue', 'grass is green', 'the sky is blue'];
    const model = await world.startModel({
      scripts: analyst(
        [
          'print(type(documents).__name__, len(documents), question)',
          'colours = llm_query_batched([f"Which colour? {text}" for text in documents])\nprint(colours)',
          'from collections import Counter\ncounts = Counter(colours)\nSUBMIT(answer=counts.most_common(1)[0][0], counts=dict(counts))',
        ],
        ({ last }) => last.split(' ').at(-1),
      ),
    });
    const outcome = await world.analyze({
      id: 'colours',
      signature: 'documents: list[str], question -> answer: str, counts: dict[str, int]',
      inputs: { documents, question: 'Which colour is the most frequent?' },
      model,
    });
    expect(outcome).toMatchObject({ status: 'completed', error: null, iterations: 3, agents: 1 });
    expect(await world.answer(outcome)).toEqual({ answer: 'blue', counts: { blue: 2, green: 1 } });
    expect(model.count()).toBe(6);
    await vi.waitFor(async () => expect(await world.leftovers('colours')).toEqual([]), { timeout: 20_000 });
  });

  it('never shows the model more of a variable than its beginning', async () => {
    const secret = 'in the middle';
    const text = `${'a'.repeat(50_000)}${secret}${'b'.repeat(50_000)}`;
    const sent: string[] = [];
    const script = analyst(['SUBMIT(len(text))', 'SUBMIT(length=len(text))']);
    const model = await world.startModel({
      scripts: (conversation) => {
        sent.push(...conversation.messages.map(({ content }) => content));
        return script(conversation);
      },
    });
    const outcome = await world.analyze({ id: 'long', signature: 'text -> length: int', inputs: { text }, model });
    expect(await world.answer(outcome)).toEqual({ length: text.length });
    expect(sent.some((content) => content.includes(secret))).toBe(false);
    expect(sent.join('\n')).toContain('str of length 100,013');
  });

  it('is told which field does not fit, and why', async () => {
    let told = '';
    const model = await world.startModel({
      scripts: analyst([
        'SUBMIT(scores=["high"])',
        ({ last }) => {
          told = last;
          return withCode('SUBMIT(scores=[1.5])');
        },
      ]),
    });
    const outcome = await world.analyze({ id: 'unfit', signature: '-> scores: list[float]', model });
    expect(await world.answer(outcome)).toEqual({ scores: [1.5] });
    expect(told).toContain('scores[0]: expected float, got');
  });

  it('hands variables to its sub-agents', async () => {
    const model = await world.startModel({
      scripts: analyst(
        [
          'parts = [numbers[:2], numbers[2:]]\nreports = rlm_query_batched(["the sum please"] * 2, numbers=parts)\none = rlm_query("concatenate them", texts=["é", "x"], extra={"b": 1, "a": None})\nprint(reports, one)',
          'SUBMIT(total=sum(map(int, reports)), joined=one)',
        ],
        ({ opening: task }) => {
          if (task.includes('the sum please')) return withCode('FINAL(str(sum(numbers)))');
          return task.includes('concatenate them')
            ? withCode('FINAL("".join(texts) + "".join(extra) + task)')
            : undefined;
        },
      ),
    });
    const outcome = await world.analyze({
      id: 'parts',
      signature: 'numbers: list[int] -> total: int, joined',
      inputs: { numbers: [1, 2, 3, 4] },
      model,
    });
    expect(outcome).toMatchObject({ status: 'completed', agents: 4 });
    expect(await world.answer(outcome)).toEqual({ total: 10, joined: 'éxbaconcatenate them' });
  });

  it('asks for the fields when its turns are used up, until they fit', async () => {
    const model = await world.startModel({
      scripts: analyst([
        'x = 1',
        'y = 2',
        () => 'The answer is probably 3.',
        ({ last }) =>
          `It must have the fields.\n\`\`\`json\n{"n": ${last.includes('not JSON at line 1') ? 3 : '"three"'}}\n\`\`\``,
      ]),
    });
    const outcome = await world.analyze({
      id: 'extract',
      signature: '-> n: int',
      model,
      config: { rlm: { max_iterations: 2 } },
    });
    expect(outcome).toMatchObject({ status: 'completed', error: null, iterations: 2, answer_source: 'final_answer' });
    expect(await world.answer(outcome)).toEqual({ n: 3 });
    expect(outcome.notes).toEqual([
      'The agent did not call FINAL: the answer is what it gave when it was asked at the end.',
    ]);
  });

  itLong('has what the setup installed, without a repository', async () => {
    const model = await world.startModel({ scripts: analyst(['SUBMIT(made=open("made.txt").read())']) });
    const config = { sandbox: { setup: ['printf hello > made.txt'] } };
    const outcome = await world.analyze({ id: 'setup', signature: '-> made', model, config });
    expect(outcome).toMatchObject({ status: 'completed', error: null });
    expect(await world.answer(outcome)).toEqual({ made: 'hello' });
  });

  it('fails with what was known where no answer fits', async () => {
    const model = await world.startModel({ scripts: analyst(['print("seen")', () => 'I do not know.']) });
    const outcome = await world.analyze({
      id: 'nothing',
      signature: '-> n: int',
      model,
      config: { rlm: { max_iterations: 1 } },
    });
    expect(outcome).toMatchObject({ status: 'failed', answer: null });
    expect(outcome.error).toContain(
      'final answers could not be used. The model was told of the last: That result does not fit:',
    );
    expect(outcome.notes.join()).toContain('seen');
  });

  it.each([
    ['no signature', {}, 'The input needs `signature`'],
    ['a wrong one', { signature: 'a: lst[str] -> b' }, 'lst'],
    ['an input that is missing', { signature: 'a, b -> c', inputs: { a: '' } }, 'b'],
    ['an input of another type', { signature: 'a: int -> c', inputs: { a: 'x' } }, 'a: expected int'],
  ])('with %s fails before a model is asked', async (name, input, message) => {
    const model = await world.startModel({ scripts: () => undefined });
    const started = world.analyze({ id: `wrong-${name.replaceAll(' ', '-')}`, signature: undefined, ...input, model });
    const error = await started.then(
      () => undefined,
      (reason: unknown) => reason as Error & { cause?: Error },
    );
    expect(error?.cause?.message).toContain(message);
    expect(model.count()).toBe(0);
  });
});

describe('an analysis whose sandbox is lost', () => {
  it('has its variables again', async () => {
    const world = await createWorld();
    try {
      await world.startWorker();
      const wait = Promise.withResolvers<undefined>();
      const model = await world.startModel({
        scripts: analyst([
          'total = sum(numbers)\nprint(total)',
          async () => {
            await wait.promise;
            return withCode('SUBMIT(n=total + len(numbers))');
          },
        ]),
      });
      const handle = await world.startAnalysis({
        id: 'again',
        signature: 'numbers: list[int] -> n: int',
        inputs: { numbers: [1, 2, 3] },
        model,
      });
      await model.when(({ turn }) => turn === 1, 30_000);
      await world.killSandbox('again', '0');
      wait.resolve(undefined);
      const outcome = (await handle.result()) as RunOutcome;
      expect(await world.answer(outcome)).toEqual({ n: 9 });
      await vi.waitFor(async () => expect(await world.leftovers('again')).toEqual([]), { timeout: 20_000 });
    } finally {
      await world.close();
    }
  });
});
