import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NOTICES, type Notice } from '../src/domain/notice.ts';
import { createNotify } from '../src/notify.ts';

const PAUSED: Notice = {
  event: 'paused',
  run: 'todo',
  status: 'paused',
  reason: 'agent 0: 401',
  answer: null,
  cost: 0.5,
  next: 'rlm resume todo',
};

let folder: string;
const log: string[] = [];
const posted: unknown[] = [];
let failures = 0;
const server = createServer((request, response) => {
  void json(request).then((body) => {
    if (failures > 0) {
      failures -= 1;
      response.writeHead(503).end();
      return;
    }
    posted.push(body);
    response.end();
  });
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rlm-notify-'));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = { environment: process.env, log: (line: string) => log.push(line) };
const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret`;

it('runs the command, with the notice on its standard input and in its environment', async () => {
  const script = `cat >${folder}/notice; echo "$RLM_EVENT $RLM_RUN: $RLM_REASON, $RLM_NEXT" >${folder}/line`;
  await createNotify({ command: ['sh', '-c', script], on: NOTICES }, options)(PAUSED);
  expect(JSON.parse(readFileSync(join(folder, 'notice'), 'utf8'))).toEqual(PAUSED);
  expect(readFileSync(join(folder, 'line'), 'utf8')).toBe('paused todo: agent 0: 401, rlm resume todo\n');
});

it('posts it to the webhook, again where the server is away', async () => {
  failures = 1;
  await createNotify({ webhook: url(), on: NOTICES }, options)(PAUSED);
  expect(posted).toEqual([{ ...PAUSED, text: 'Run todo: paused (agent 0: 401). rlm resume todo' }]);
  expect(log).toEqual([]);
});

it('tells of nothing that was not asked for', async () => {
  await createNotify({ webhook: url(), on: ['failed'] }, options)(PAUSED);
  expect(posted).toHaveLength(1);
});

it('says what fails, without the address, and fails nothing', async () => {
  failures = 2;
  const notify = createNotify({ command: ['no-such-program'], webhook: url(), on: NOTICES }, options);
  await notify(PAUSED);
  expect(log.toSorted()).toEqual([
    expect.stringContaining('notify.command failed: spawn no-such-program ENOENT'),
    'notify.webhook failed: the server answered 503',
  ]);
  expect(log.join('\n')).not.toContain('secret');
});
