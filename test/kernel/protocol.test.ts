import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

describe('each message of the protocol', () => {
  let under: KernelUnderTest;

  beforeEach(async () => {
    under = await KernelUnderTest.start({ generation: 3, setup: false });
  });

  afterEach(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it('info says what the kernel is and where it stands', async () => {
    expect(await under.kernel.info()).toEqual({
      protocol: 1,
      python: expect.stringMatching(/^3\.\d+\.\d+$/),
      generation: 3,
      block: 0,
      head: '',
      status: 'new',
      restarts: 0,
    });
  });

  it('setup gives the code its variables and functions, and may be repeated', async () => {
    expect(await under.setup({ task: 'T', facts: { list: [1, null, 'x'] } })).toMatchObject({ status: 'idle' });
    expect(await under.setup({ task: 'T', facts: { list: [1, null, 'x'] } })).toMatchObject({ status: 'idle' });
    const result = await under.run('print(task, facts, llm_query.__doc__)');
    expect(result.stdout).toBe("T {'list': [1, None, 'x']} Asks a model.\n");
    expect(await under.setup({ task: 'T', facts: { list: [1, null, 'x'] } })).toMatchObject({ block: 1 });
  });

  it('setup in another way is refused as diverged', async () => {
    await under.setup({ task: 'T' });
    await expect(under.setup({ task: 'U' })).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
  });

  it('exec runs a block in the background; events report its calls and its end', async () => {
    await under.setup();
    expect(await under.exec('answer = llm_query("why?")\nprint(answer)\nlen(answer)')).toMatchObject({
      block: 1,
      head: 'head-1',
      status: 'running',
    });
    const calls = await under.events();
    expect(calls).toEqual({
      cursor: 1,
      state: 'waiting',
      pending: ['1.1'],
      events: [
        {
          type: 'call',
          cursor: 1,
          call: '1.1',
          function: 'llm_query',
          arguments: { prompt: 'why?' },
          hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      ],
    });
    await under.answer({ '1.1': 'because' });
    const end = await under.events(calls.cursor);
    expect(end).toEqual({
      cursor: 2,
      state: 'done',
      pending: [],
      events: [
        {
          type: 'done',
          cursor: 2,
          result: {
            status: 'ok',
            stdout: 'because\n7\n',
            stderr: '',
            stdout_length: 10,
            stderr_length: 0,
            error: null,
            final: null,
            execution_time: expect.any(Number),
          },
        },
      ],
    });
  });
});
