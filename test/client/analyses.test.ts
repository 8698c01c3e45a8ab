import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { z } from 'zod';
import {
  analyze,
  connect,
  entriesOf,
  file,
  folder,
  investigate,
  RunFailedError,
  stringifyJson,
  tool,
  type ConnectOptions,
  type RlmClient,
} from '../../src/client.ts';
import { withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createWorld, type World } from '../e2e/world.ts';

vi.setConfig({ testTimeout: 60_000 });

let world: World;
let model: ScriptedModel;
let options: ConnectOptions;
let refusing = false;

beforeAll(async () => {
  world = await createWorld();
  model = await world.startModel({
    scripts: ({ opening, turn }) => {
      if (opening.includes('git repository')) return withCode('FINAL("done")');
      if (refusing) return { error: { status: 401 } };
      if (opening.includes('ordered')) return withCode('SUBMIT([{"a": {"k": {"b": 3, "y": 2}}, "z": 1}])');
      if (opening.includes('by_year')) return withCode('SUBMIT({2023: 1, 1999: 2})');
      if (opening.includes('colours')) return withCode('SUBMIT(colours=text.split(), counts={"n": len(text.split())})');
      if (opening.includes('weather')) return withCode('print(weather("Paris"))\nSUBMIT(weather("Paris", days=2))');
      if (opening.includes('never')) return turn < 3 ? withCode('print("found something")') : 'I cannot.';
      if (opening.includes('lines')) return withCode('SUBMIT(len(lines))');
      return undefined;
    },
  });
  options = {
    address: world.server.address,
    cwd: world.folder,
    env: {
      ...process.env,
      DURABLE_RLM_STATE: join(world.folder, 'state'),
      DURABLE_RLM_CACHE: join(world.folder, 'cache'),
      LLM_API_KEY: 'none',
    },
    config: { model: { name: 'openai/scripted', base_url: model.url } },
  };
});
afterAll(() => world.close());

const WEATHER = tool({ description: 'Tells.', parameters: z.object({}), run: () => 'rain' });

describe('analyze', () => {
  it('works in this process, and its result has the types of the signature', async () => {
    const lines: string[] = [];
    const result = await analyze({
      ...options,
      log: (line) => lines.push(line),
      signature: 'text -> colours: list[str], counts: dict[str, int]',
      inputs: { text: 'blue green' },
    });
    expectTypeOf(result.answer).toEqualTypeOf<{ colours: string[]; counts: Record<string, number> }>();
    expect(result).toMatchObject({ status: 'completed', type: 'analyze', patch: null });
    expect(result.answer).toEqual({ colours: ['blue', 'green'], counts: { n: 2 } });
    expect(Object.keys(result.answer)).toEqual(['colours', 'counts']);
    expect(lines.join('\n')).not.toContain('No worker');
  });

  it('finds the run of an id again, without asking the model again', async () => {
    const request = { ...options, id: 'twice', signature: 'text -> colours: list[str], counts: Any' } as const;
    await analyze({ ...request, inputs: { text: 'red' } });
    const asked = model.count();
    expect((await analyze({ ...request, inputs: { text: 'red' } })).answer.colours).toEqual(['red']);
    expect(model.count()).toBe(asked);
    await expect(analyze({ ...request, inputs: { text: 'other' } })).rejects.toThrow('started with other arguments');
  });

  it('calls functions of the program', async () => {
    const asked: unknown[] = [];
    const weather = tool({
      description: 'The weather of a city.',
      parameters: z.object({ city: z.string(), days: z.int().default(1) }),
      run: ({ city, days }) => {
        asked.push([city, days]);
        return `rain in ${city} for ${days} days`;
      },
    });
    const { answer } = await analyze({ ...options, signature: '-> report', instructions: 'Tell.', tools: { weather } });
    expect(answer).toEqual({ report: 'rain in Paris for 2 days' });
    expect(asked).toEqual([
      ['Paris', 1],
      ['Paris', 2],
    ]);
  });

  it('fails with what there is', async () => {
    const config = { ...options.config, rlm: { max_iterations: 2 } };
    const error = await analyze({ ...options, config, signature: '-> never: int' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunFailedError);
    expect((error as RunFailedError).document).toMatchObject({ status: 'failed', answer: null });
    expect((error as RunFailedError).document.notes.join()).toContain('found something');
  });

  it('gives up with the reason when the run pauses, says what is tried again, and continues later', async () => {
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const request = { ...options, log, id: 'refused', signature: 'text -> colours: list[str], counts: Any' } as const;
    const broken = { ...request, inputs: { text: 'pink' } };
    refusing = true;
    const error = await analyze(broken).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunFailedError);
    expect((error as RunFailedError).document).toMatchObject({ status: 'paused', answer: null });
    expect(String(error)).toContain('agent 0');
    refusing = false;
    const client = await connect(options);
    await client.resume('refused');
    await client.close();
    expect((await analyze(broken)).answer.colours).toEqual(['pink']);
  });

  it('without a key fails at once', async () => {
    const env = { ...options.env, LLM_API_KEY: '' };
    const config = { model: { name: 'openai/gpt-5' } };
    await expect(analyze({ ...options, env, config, signature: '-> colours: list[str]' })).rejects.toThrow(
      'No key for',
    );
  });

  it.each([
    [{ signature: 'a: lst -> b' }, 'there is no type lst'],
    [{ signature: 'a -> b' }, 'the input a is missing'],
    [{ signature: 'a -> b', inputs: { a: '', c: '' } }, 'there is no input c'],
    [{ signature: 'a -> b', inputs: { a: 3 } }, 'a: expected str, got int 3'],
    [{ signature: 'weather -> b', inputs: { weather: '' }, tools: { weather: WEATHER } }, 'has the name of an input'],
  ])('refuses %j before anything is spent', async (request, message) => {
    const asked = model.count();
    await expect(analyze({ ...options, ...request })).rejects.toThrow(message);
    expect(model.count()).toBe(asked);
  });
});

describe('investigate', () => {
  it('works on a repository in this process', async () => {
    const document = await investigate({ ...options, repo: world.repository, prompt: 'Look' });
    expect(document).toMatchObject({ status: 'completed', type: 'investigate', answer: 'done' });
  });
});

describe('a client', () => {
  let client: RlmClient;
  let worker: Awaited<ReturnType<RlmClient['work']>>;
  beforeAll(async () => {
    client = await connect(options);
    worker = await client.work();
  });
  afterAll(async () => {
    await worker.close();
    await client.close();
  });

  it('starts analyses for workers elsewhere, and lists them', async () => {
    const run = await client.analyze({
      id: 'elsewhere',
      signature: 'text -> colours: list[str], counts: Any',
      descriptions: { colours: 'In order.' },
      inputs: { text: 'black' },
    });
    expect((await run.result()).answer).toEqual({ colours: ['black'], counts: { n: 1 } });
    expect((await client.list()).map(({ run: id }) => id)).toContain('elsewhere');
  });

  it('stores what is iterated as it comes', async () => {
    async function* lines(): AsyncGenerator<string> {
      for (let line = 0; line < 1000; line += 1) yield `line ${line}`;
    }
    const { answer } = await (
      await client.analyze({
        signature: 'lines: list[str] -> n: int',
        inputs: { lines: lines() },
      })
    ).result();
    expect(answer).toEqual({ n: 1000 });
  });

  it('keeps the order of keys that the code gave', async () => {
    const signature = 'text -> ordered: list[{z: int, a: dict[str, {y: int, b: int}]}]';
    const { answer } = await (await client.analyze({ signature, inputs: { text: 'x' } })).result();
    expect(JSON.stringify(answer)).toBe('{"ordered":[{"a":{"k":{"b":3,"y":2}},"z":1}]}');
  });

  it('tells the order of keys that are whole numbers, which JavaScript sorts', async () => {
    const signature = 'text -> by_year: dict[int, int]';
    const { answer } = await (await client.analyze({ signature, inputs: { text: 'x' } })).result();
    expect(Object.keys(answer?.by_year ?? {})).toEqual(['1999', '2023']);
    expect(entriesOf(answer?.by_year ?? {})).toEqual([
      ['2023', 1],
      ['1999', 2],
    ]);
    expect(stringifyJson(answer)).toBe('{"by_year":{"2023":1,"1999":2}}');
  });

  it('takes files and folders for inputs', async () => {
    const papers = join(world.folder, 'papers');
    mkdirSync(papers);
    writeFileSync(join(papers, 'one.txt'), 'first');
    writeFileSync(join(papers, 'two.txt'), 'second');
    const { answer } = await (
      await client.analyze({
        signature: 'lines: list[str], one: str, all: dict[str, str] -> n: int',
        inputs: { lines: folder(papers), one: file(join(papers, 'one.txt')), all: folder(papers) },
      })
    ).result();
    expect(answer).toEqual({ n: 2 });
  });
});
