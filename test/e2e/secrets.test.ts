import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeRepository } from '../sandbox/fixtures.ts';
import { createDesk, type Desk } from './command.ts';

vi.setConfig({ testTimeout: 120_000 });

const canary = (place: string): string => `canary-${place}-${randomBytes(12).toString('hex')}+/=`;
const SECRETS = {
  LLM_API_KEY: canary('model-key'),
  GIT_TOKEN: canary('git-token'),
  INDEX_PASSWORD: canary('index-password'),
  AWS_SECRET_ACCESS_KEY: canary('aws'),
  DAYTONA_API_KEY: canary('daytona'),
  UNRELATED_TOKEN: canary('unrelated'),
};
const CONTENT = `contents-${randomBytes(12).toString('hex')}`;

let desk: Desk;
let endpoint: string;
let asked = 0;

/** A provider that sends back what it was sent: first in an error, then as the model's name and within its reply. */
const provider = createServer((request, response) => {
  const key = (request.headers.authorization ?? '').replace('Bearer ', '');
  request.resume();
  asked += 1;
  const encoded = [key, encodeURIComponent(key), Buffer.from(`user:${key}`).toString('base64')].join(' ');
  response.setHeader('content-type', 'application/json');
  if (asked === 1) {
    response.writeHead(500).end(JSON.stringify({ error: { message: `you sent ${encoded}` } }));
    return;
  }
  const code = `\`\`\`python\nprint(open("a.txt").read() if ${asked} < 3 else "")\nFINAL("the answer, ${CONTENT}")\n\`\`\``;
  const content = `My key is ${key}.\n${asked % 2 === 0 ? code.replace(/\nFINAL.*/, '') : code}`;
  const usage = { prompt_tokens: 1, completion_tokens: 1 };
  response.end(
    JSON.stringify({ model: `m ${encoded}`, choices: [{ finish_reason: 'stop', message: { content } }], usage }),
  );
});

beforeAll(async () => {
  desk = await createDesk();
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  endpoint = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/v1`;
  makeRepository(join(desk.folder, 'repository'), { 'a.txt': `a file, ${CONTENT}\n` });
});
afterAll(async () => {
  provider.close();
  await desk.close();
});

/** Where a text is, as it is or encoded, in any file of the desk. */
function placesOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  const forms = [text, encodeURIComponent(text), bytes.toString('hex'), ...base64].map((form) => Buffer.from(form));
  return readdirSync(desk.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => {
      const content = readFileSync(path);
      return forms.some((form) => content.includes(form));
    });
}

function config(name: string): string {
  const path = join(desk.folder, name);
  const { sandbox } = desk.settings;
  writeFileSync(
    path,
    JSON.stringify({
      model: { name: 'openai/echo', base_url: endpoint, api_key_env: 'LLM_API_KEY', check: false },
      repository: { token_env: 'GIT_TOKEN' },
      sandbox: {
        ...sandbox,
        setup: ['python3 -m venv --without-pip .venv', 'true'],
        python: '.venv',
        setup_env: ['PIP_INDEX_URL'],
      },
    }),
  );
  return path;
}

it('keys and tokens are found nowhere but where a person put them', async () => {
  const env = {
    ...SECRETS,
    PIP_INDEX_URL: `http://user:${encodeURIComponent(SECRETS.INDEX_PASSWORD)}@127.0.0.1:9/simple`,
  };
  asked = 0;
  const args = [
    'run',
    'repository',
    '-p',
    'What is in a.txt?',
    '-c',
    config('canaries.json'),
    '--id',
    'canaries',
    '--json',
  ];
  const ended = await desk.run(args, env);
  expect(ended.stderr + ended.stdout.toString()).toContain(CONTENT);
  expect(ended.code).toBe(0);
  expect(asked).toBeGreaterThan(2);
  const shown = ended.stderr + ended.stdout.toString();
  const found = Object.values(SECRETS).map((secret) => ({
    secret,
    shown: shown.includes(secret),
    places: placesOf(secret),
  }));
  expect(found).toEqual(Object.values(SECRETS).map((secret) => ({ secret, shown: false, places: [] })));
  // The search finds what is there.
  expect(placesOf(CONTENT).length).toBeGreaterThan(1);
});

it('with a key of its own a run leaves nothing readable of what it was about', async () => {
  const text = `encrypted-${randomBytes(12).toString('hex')}`;
  const env = { ...SECRETS, PIP_INDEX_URL: '', DURABLE_RLM_ENCRYPTION_KEY: randomBytes(32).toString('base64') };
  asked = 2;
  const args = [
    'analyze',
    '-s',
    'question -> answer',
    '-i',
    `question=${text}`,
    '-c',
    config('encrypted.json'),
    '--id',
    'encrypted',
    '--json',
  ];
  const ended = await desk.run(args, env);
  expect(ended.code, ended.stderr).toBe(0);
  // Results files are a person's own, to be read.
  expect(placesOf(text).filter((path) => !path.includes('/results/'))).toEqual([]);
  expect(placesOf(env.DURABLE_RLM_ENCRYPTION_KEY)).toEqual([]);
  const [read, unread] = [
    await desk.run(['result', 'encrypted'], env),
    await desk.run(['result', 'encrypted'], SECRETS),
  ];
  expect(read.stdout.toString()).toContain(CONTENT);
  expect(unread.code).not.toBe(0);
  expect(unread.stdout.toString() + unread.stderr).not.toContain(CONTENT);
});
