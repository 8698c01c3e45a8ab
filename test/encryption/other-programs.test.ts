import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createDesk, says, type Desk, type Finished } from '../e2e/command.ts';
import { sized } from '../sizes.ts';

/** A run that is encrypted, one that is not, and one that is open: as Temporal's own command line and a process without the key see them. */
vi.setConfig({ testTimeout: 120_000 });
const KEY = { DURABLE_RLM_ENCRYPTION_KEY: randomBytes(32).toString('base64') };
const CANARY = 'canary-of-the-question';
const MISSING =
  /^rlm: A (payload in Temporal|blob) is encrypted with the key [0-9a-f]{8}, which this process does not have: put it into DURABLE_RLM_ENCRYPTION_KEY\.\n$/;

let desk: Desk;
let model: ScriptedModel;
let codec: readonly string[];

beforeAll(async () => {
  desk = await createDesk('local');
  model = await startScriptedModel({
    scripts: ({ messages, opening }) => {
      if (!opening.includes('stays open')) return withCode(`SUBMIT(out="answer: ${CANARY}")`);
      return messages.length > 2 ? undefined : { hang: true };
    },
  });
  desk.configure(stringify({ ...desk.settings, model: { name: 'openai/scripted', base_url: model.url } }));
  const analyze = (id: string, question: string, ...more: string[]): string[] => {
    const given = ['-s', 'question -> out', '-i', `question=${question}`, '--instructions', question];
    return ['analyze', ...given, '--id', id, '-q', ...more];
  };
  await succeed(analyze('plain', 'a plain one'));
  await succeed(analyze('secret', CANARY), KEY);
  await succeed(['up', '--detach'], KEY);
  await succeed(analyze('open', 'stays open', '--detach'), KEY);
  const server = desk.start(['codec'], KEY);
  await says(server, /--codec-auth/);
  const [, url = '', token = ''] = /--codec-endpoint (\S+) --codec-auth "([^"]+)"/.exec(server.stderr()) ?? [];
  codec = ['--codec-endpoint', url, '--codec-auth', token];
}, 120_000);
afterAll(async () => {
  await desk.run(['down'], KEY);
  await desk.close();
  await model.close({ check: false });
});

async function succeed(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const finished = await desk.run(args, env);
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

/** What Temporal's own command line prints. */
function temporal(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { env: desk.env, maxBuffer: 64 * 1024 * 1024, timeout: 30_000 };
    execFile('temporal', ['--profile', 'durable-rlm', 'workflow', ...args], options, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

describe("Temporal's own command line with rlm codec", () => {
  it.each([
    ['show', ['show', '--workflow-id', 'secret', '--detailed'], CANARY],
    ['result', ['result', '--workflow-id', 'secret'], CANARY],
    ['describe', ['describe', '--workflow-id', 'secret'], 'completed'],
    ['query', ['query', '--workflow-id', 'open', '--name', 'status'], 'running'],
    ['query --output json', ['query', '--workflow-id', 'open', '--name', 'status', '--output', 'json'], 'running'],
    ['metadata', ['metadata', '--workflow-id', 'open'], 'question: str -> out: str'],
    ['list', ['list', '--output', 'json'], 'secret'],
  ] as const)('%s: decrypts', async (_, args, text) => {
    const printed = await temporal(...args, ...codec);
    expect(printed).toContain(text);
    expect(printed).not.toMatch(/Bad Request|binary\/encrypted|unable to|Error:/);
  });

  it('shows nothing of it without', async () => {
    for (const command of ['show', 'result', 'describe', 'metadata']) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      expect(await temporal(command, '--workflow-id', 'secret', '--output', 'json')).not.toContain(CANARY);
    }
    const found = async (query: string): Promise<string[]> => {
      const listed = await temporal('list', '--query', query, '--output', 'json');
      expect(listed).not.toContain(CANARY);
      const runs = JSON.parse(listed) as { execution: { workflowId: string } }[];
      return runs.map(({ execution }) => execution.workflowId).toSorted();
    };
    // A text that Temporal can search is one that it keeps readable.
    await vi.waitFor(async () => expect(await found("RlmStatus = 'completed'")).toEqual(['plain', 'secret']), 30_000);
    expect(await found('RlmPrompt IS NOT NULL')).toEqual(['plain']);
  });

  it('starts and signals runs, whose input is encrypted on its way', async () => {
    const input = JSON.stringify({ signature: 'question -> out', inputs: { question: CANARY }, config: {} });
    const of = ['--workflow-id', 'started', '--type', 'analyze', '--task-queue', 'durable-rlm', '--input', input];
    expect(await temporal('start', ...of, ...codec)).toContain('started');
    expect(await temporal('show', '--workflow-id', 'started', '--detailed')).not.toContain(CANARY);
    expect(await temporal('show', '--workflow-id', 'started', '--detailed', ...codec)).toContain(CANARY);
    const message = ['--workflow-id', 'open', '--name', 'pause', '--input', JSON.stringify({ reason: CANARY })];
    expect(await temporal('signal', ...message, ...codec)).not.toMatch(/error/i);
    await vi.waitFor(
      async () =>
        expect(await temporal('query', '--workflow-id', 'open', '--name', 'status', ...codec)).toMatch(CANARY),
      { timeout: 30_000, interval: 500 },
    );
  });
});

describe('rlm without the key', () => {
  const everyDay = [
    ['status', 'secret'],
    ['export', 'secret', '--json'],
    ['pause', 'open'],
    ['retry', 'secret'],
    ['delete', 'secret'],
  ];
  const others = [
    ['status', 'open'],
    ['result', 'secret'],
    ['show', 'secret', '0'],
    ['diff', 'plain', 'secret'],
    ['resume', 'open'],
    ['steer', 'open', 'hello'],
    ['budget', 'open', '--max-cost', '3'],
    ['fork', 'secret'],
    ['cancel', 'open'],
  ];
  it.each(sized(everyDay, [...everyDay, ...others]))(
    '%s %s names the variable that misses it, in one sentence',
    async (...args) => {
      const finished = await desk.run(args);
      expect(finished.stderr).toMatch(MISSING);
      expect(finished.code).not.toBe(0);
      expect(finished.stdout.toString()).not.toContain(CANARY);
    },
  );

  it('list shows the others, and which it cannot read', async () => {
    const listed = await succeed(['list']);
    expect(listed.stdout.toString()).toMatch(/^plain +completed/m);
    expect(listed.stdout.toString()).toMatch(/^secret +completed/m);
    expect(listed.stdout.toString()).not.toContain(CANARY);
    expect(listed.stderr).toMatch(/runs cannot be read without the key that encrypted them: .*secret/);
    const rows = JSON.parse((await succeed(['list', '--json'])).stdout.toString()) as { run_id: string }[];
    expect(rows.map(({ run_id }) => run_id)).toEqual(expect.arrayContaining(['plain', 'secret', 'open']));
  });

  it('clean deletes nothing of what it cannot read', async () => {
    await succeed(['clean']);
    await succeed(['clean', '--yes']);
    const forced = await desk.run(['clean', '--blobs', '--older-than', '0d', '--yes']);
    expect(forced.stderr).toMatch(/could not be judged|is encrypted with the key/);
    expect((await succeed(['result', 'secret'], KEY)).stdout.toString()).toContain(CANARY);
    expect((await succeed(['status', 'open'], KEY)).stdout.toString()).toContain('open');
  });
});
