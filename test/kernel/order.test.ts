import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start();
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

describe('the keys of a dict keep their order', () => {
  it.each([
    ['of a dict', 'FINAL({"zoe": 9, "bob": 5, "amy": 1})', '{"zoe":9,"bob":5,"amy":1}'],
    ['of rows', 'FINAL([{"z": 1, "a": 2}, {"b": 1, "a": 2}])', '[{"z":1,"a":2},{"b":1,"a":2}]'],
    ['below others', 'FINAL({"z": {"y": 1, "x": 2}, "a": {}})', '{"z":{"y":1,"x":2},"a":{}}'],
    ['of an OrderedDict', 'import collections\nFINAL(collections.OrderedDict(b=1, a=2))', '{"b":1,"a":2}'],
    ['of a variable', 'answer = dict(b=1, a=2)\nFINAL_VAR("answer")', '{"b":1,"a":2}'],
  ])('%s', async (_name, code, json) => {
    expect(JSON.stringify((await under.run(code)).final?.value)).toBe(json);
  });

  it('of what a function is given', async () => {
    const given: unknown[] = [];
    await under.run('look_up(key={"z": [{"y": 1, "x": 2}], "a": 1}, limit=2)', {}, (call) => {
      given.push(call.arguments);
      return null;
    });
    expect(JSON.stringify(given)).toBe('[{"key":{"z":[{"y":1,"x":2}],"a":1},"limit":2}]');
  });

  it('of what it answers', async () => {
    const result = await under.run('FINAL(look_up(key=1))', {}, () => ({ z: 1, a: { y: 1, x: 2 } }));
    expect(JSON.stringify(result.final?.value)).toBe('{"z":1,"a":{"y":1,"x":2}}');
  });
});

describe('columns of tables as lists', () => {
  it('are taken where a list is wanted', async () => {
    const code = `class Column:
    def __init__(self, *values): self.values = values
    def tolist(self): return list(self.values)
answers = llm_query_batched(Column("a", "b"))
reports = rlm_query_batched(Column("t1", "t2"), part=Column(1, 2))
print(answers, reports)`;
    const result = await under.run(code, {}, ({ arguments: given }) =>
      Object.values(given)
        .slice(0, 1)
        .flatMap((list) => (list as string[]).map((item) => `<${item}>`)),
    );
    expect(result).toMatchObject({ status: 'ok', stdout: "['<a>', '<b>'] ['<t1>', '<t2>']\n" });
  });

  it('name the call where they do not fit', async () => {
    const { error } = await under.run(
      'class Column:\n    def tolist(self): return ["a", None]\nllm_query_batched(Column())',
    );
    expect(error).toContain('TypeError: llm_query_batched: prompts[1] must be a string, not NoneType');
  });
});
