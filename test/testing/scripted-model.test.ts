import { afterEach, describe, expect, it } from 'vitest';
import { attempts, forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';

let model: ScriptedModel | undefined;

afterEach(async () => {
  await model?.close({ check: false });
  model = undefined;
});

async function start(options: Parameters<typeof startScriptedModel>[0]): Promise<ScriptedModel> {
  model = await startScriptedModel(options);
  return model;
}

interface Answer {
  readonly status: number;
  readonly text: string | undefined;
  readonly error: string | undefined;
  readonly body: string;
  readonly headers: Headers;
}

async function ask(
  url: string,
  messages: readonly { role: string; content: unknown }[],
  options: { model?: string; key?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answer> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      ...options.headers,
    },
    body: JSON.stringify({ model: options.model ?? 'scripted', messages }),
    signal: options.signal ?? null,
  });
  const body = await response.text();
  const parsed = parse(body);
  return {
    status: response.status,
    text: parsed?.choices?.[0]?.message?.content,
    error: parsed?.error?.message,
    body,
    headers: response.headers,
  };
}

function parse(
  body: string,
): { choices?: { message?: { content?: string } }[]; error?: { message?: string } } | undefined {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

describe('the scripted model', () => {
  it('answers a conversation with what its script returns', async () => {
    const { url } = await start({ scripts: ({ last }) => `you said ${last}` });
    expect((await ask(url, [user('hello')])).text).toBe('you said hello');
  });

  it('asks scripts in order until one has a reply', async () => {
    const { url } = await start({
      scripts: [({ last }) => (last === 'mine' ? 'first' : undefined), [() => 'second']],
    });
    expect((await ask(url, [user('mine')])).text).toBe('first');
    expect((await ask(url, [user('another')])).text).toBe('second');
  });

  it('tells a script how often the very same conversation was asked and answered before', async () => {
    const seen: [string, number, number][] = [];
    const { url } = await start({
      scripts: ({ last, askedBefore, answeredBefore }) => {
        seen.push([last, askedBefore, answeredBefore]);
        return askedBefore === 0 && last === 'a' ? { error: { status: 503 } } : 'reply';
      },
    });
    for (const text of ['a', 'a', 'b', 'a']) await ask(url, [user(text)]);
    expect(seen).toEqual([
      ['a', 0, 0],
      ['a', 1, 0],
      ['b', 0, 0],
      ['a', 2, 1],
    ]);
  });

  it('reads content that comes as a list of parts', async () => {
    const { url } = await start({ scripts: ({ last }) => last });
    expect((await ask(url, [{ role: 'user', content: [{ type: 'text', text: 'in parts' }] }])).text).toBe('in parts');
  });

  it('counts tokens by length unless the script says otherwise, and reports a cost only when it has one', async () => {
    const { url } = await start({
      scripts: ({ last }) =>
        last === 'priced' ? { text: 'x', usage: { input_tokens: 7, output_tokens: 3, cost: 0.5 } } : '12345678',
    });
    expect(JSON.parse((await ask(url, [user('1234')])).body).usage).toEqual({
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
    });
    expect(JSON.parse((await ask(url, [user('priced')])).body).usage).toMatchObject({ prompt_tokens: 7, cost: 0.5 });
  });

  it('holds a reply back until the script has made up its mind', async () => {
    const gate = Promise.withResolvers<string>();
    const running = await start({ scripts: () => gate.promise });
    const answer = ask(running.url, [user('wait')]);
    await running.when((call) => call.outcome === 'pending');
    gate.resolve('at last');
    expect((await answer).text).toBe('at last');
  });

  it('refuses another key when it was given one', async () => {
    const { url } = await start({ scripts: () => 'ok', apiKey: 'right' });
    expect((await ask(url, [user('x')])).status).toBe(401);
    expect((await ask(url, [user('x')], { headers: { authorization: 'Bearer right' } })).text).toBe('ok');
  });

  it('says what is wrong with a request that is none', async () => {
    const { url } = await start({ scripts: () => 'ok' });
    const response = await fetch(`${url}/chat/completions`, { method: 'POST', body: '{"model": 1}' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('needs \\"model\\" and \\"messages\\"');
  });
});

describe('faults', () => {
  it('plays an HTTP error with its headers and body', async () => {
    const { url } = await start({
      scripts: () => ({
        error: { status: 429, headers: { 'retry-after': '7' }, body: { error: { message: 'slow' } } },
      }),
    });
    const answer = await ask(url, [user('x')]);
    expect([answer.status, answer.error, answer.headers.get('retry-after')]).toEqual([429, 'slow', '7']);
  });

  it('cuts the connection in the middle of a reply', async () => {
    const running = await start({ scripts: () => ({ text: 'a long reply', cut: true }) });
    await expect(ask(running.url, [user('x')])).rejects.toThrow();
    expect(running.calls.map((call) => call.outcome)).toEqual(['cut']);
  });

  it('hangs until the client has enough, and records that nothing was answered', async () => {
    const running = await start({ scripts: () => ({ hang: true }) });
    const giveUp = new AbortController();
    const answer = ask(running.url, [user('x')], { signal: giveUp.signal });
    await running.when((call) => call.outcome === 'pending');
    giveUp.abort();
    await expect(answer).rejects.toThrow();
    await running.when((call) => call.outcome === 'aborted');
    expect(running.count((call) => call.outcome === 'answered')).toBe(0);
  });

  it('sends raw text as it is', async () => {
    const { url } = await start({ scripts: () => ({ raw: '<html>' }) });
    expect((await ask(url, [user('x')])).body).toBe('<html>');
  });
});

describe('forTask', () => {
  it('plays one step a turn to each agent whose opening has the pattern', async () => {
    const { url } = await start({
      scripts: [forTask('folder', [withCode('print(1)', 'Look.'), 'done']), forTask(/^answer \d$/, ['forty-two'])],
    });
    expect((await ask(url, [user('search folder a')])).text).toBe('Look.\n\n```python\nprint(1)\n```');
    expect((await ask(url, [user('search folder b'), assistant('...'), user('1')])).text).toBe('done');
    expect((await ask(url, [user('answer 7')])).text).toBe('forty-two');
  });

  it('gives a repeated request the same reply, but for attempts', async () => {
    const { url } = await start({
      scripts: forTask('task', ['always', attempts({ error: { status: 500 } }, 'recovered')]),
    });
    const second = [user('task'), assistant('always'), user('go on')];
    expect((await ask(url, [user('task')])).text).toBe('always');
    expect((await ask(url, [user('task')])).text).toBe('always');
    expect((await ask(url, second)).status).toBe(500);
    expect((await ask(url, second)).text).toBe('recovered');
    expect((await ask(url, second)).text).toBe('recovered');
  });

  it('lets a test say where its text is and which turn it is', async () => {
    const script = forTask('needle', ['zero', 'one'], {
      text: ({ last }) => last,
      turn: ({ messages }) => messages.length - 1,
      when: (conversation) => conversation.model === 'small',
    });
    const { url } = await start({ scripts: [script, () => 'other'] });
    const messages = [user('x'), user('a needle')];
    expect((await ask(url, messages, { model: 'small' })).text).toBe('one');
    expect((await ask(url, messages, { model: 'large' })).text).toBe('other');
  });
});

describe('what was left', () => {
  it('names the turns and attempts no conversation came to, and close throws', async () => {
    const running = await startScriptedModel({
      scripts: forTask('task', ['a', attempts({ error: { status: 500 } }, 'b')], { name: 'root' }),
    });
    await ask(running.url, [user('task')]);
    expect(running.unplayed()).toEqual(['root: turn 1, attempt 1', 'root: turn 1, attempt 2']);
    await expect(running.close()).rejects.toThrow('left unplayed: root: turn 1, attempt 1');
  });

  it('answers an unscripted conversation with a 400 that quotes it, and close throws', async () => {
    const running = await startScriptedModel({ scripts: forTask('task', ['only one']) });
    const answer = await ask(running.url, [user('task'), assistant('only one'), user('and now?')]);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain('turn 1');
    expect(answer.error).toContain('and now?');
    await expect(running.close()).rejects.toThrow('and now?');
  });

  it('blames a script that throws', async () => {
    const running = await start({
      scripts: () => {
        throw new Error('a fault of the script');
      },
    });
    expect((await ask(running.url, [user('x')])).error).toContain('a fault of the script');
    expect(running.unscripted()).toHaveLength(1);
  });

  it('is content when everything was played', async () => {
    const running = await startScriptedModel({ scripts: forTask('task', ['a']) });
    await ask(running.url, [user('task')]);
    await running.close();
  });
});

describe('records', () => {
  it('tell a conversation that was paid twice from one that failed first', async () => {
    const running = await start({
      scripts: ({ last, askedBefore }) => (last === 'flaky' && askedBefore === 0 ? { error: { status: 500 } } : 'ok'),
    });
    for (const text of ['flaky', 'flaky', 'once', 'twice', 'twice'])
      await ask(running.url, [user(text)], { key: text });
    expect(running.paidTwice().map((call) => [call.task, call.keyAnsweredBefore])).toEqual([['twice', 1]]);
    expect(running.count()).toBe(5);
  });

  it('tell how many calls were pending at once', async () => {
    const all = Promise.withResolvers<void>();
    let asked = 0;
    const scripts = async (): Promise<string> => {
      asked += 1;
      if (asked === 20) all.resolve();
      await all.promise;
      return 'ok';
    };
    const running = await start({ scripts });
    await Promise.all(Array.from({ length: 20 }, (_, n) => ask(running.url, [user(`call ${n}`)])));
    expect(running.peak()).toBe(20);
  });

  it('let a test wait for a call, and give up on one that never comes', async () => {
    const running = await start({ scripts: () => 'ok' });
    const answered = running.when((call) => call.outcome === 'answered' && call.task === 'the one');
    await ask(running.url, [user('another')]);
    await ask(running.url, [user('the one')]);
    expect((await answered).index).toBe(1);
    await expect(running.when((call) => call.task === 'never', 10)).rejects.toThrow('in vain');
  });
});
