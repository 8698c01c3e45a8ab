import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { configSchema, type ConfigInput } from '../../src/config/schema.ts';
import type { McpServerConfig } from '../../src/domain/config.ts';
import { loadTools, type LoadToolsOptions, type Tools } from '../../src/tools/index.ts';

const SERVER = fileURLToPath(new URL('./mcp-server.ts', import.meta.url));
const NEVER = new AbortController().signal;
const ENV = { PATH: process.env['PATH'], HOME: '/nowhere', SECRET: 'hidden', DOCS_TOKEN: 'Bearer of-docs' };

type Servers = NonNullable<NonNullable<ConfigInput['tools']>['mcp']>;

function loadServers(mcp: Servers, options: Partial<LoadToolsOptions> = {}): Promise<Tools> {
  const servers = configSchema.parse({ tools: { mcp } }).tools.mcp as Readonly<Record<string, McpServerConfig>>;
  return loadTools({ files: [], mcp: servers, cwd: '/', env: ENV, log: () => {}, ...options });
}

async function load(mcp: Servers, options: Partial<LoadToolsOptions> = {}): Promise<Tools> {
  const tools = await loadServers(mcp, options);
  onTestFinished(() => tools.close());
  return tools;
}

function node(...args: readonly string[]): { command: string; args: string[] } {
  return { command: process.execPath, args: [...args] };
}

function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'));
}

describe('a server that is a process', () => {
  let tools: Tools;

  beforeAll(async () => {
    tools = await loadServers({ docs: node(SERVER), more: { ...node(SERVER), timeout: 1, attempts: 1 } });
  });

  afterAll(async () => {
    await tools.close();
  });

  it('gives its tools, with names of their own where those are free', async () => {
    const names = tools.descriptions.map(({ name }) => name);
    expect(names.slice(0, 5)).toEqual(['search', 'statistics', 'docs_print', 'docs_get_weather', 'mixed']);
    expect(names.slice(12, 16)).toEqual(['more_search', 'more_statistics', 'more_print', 'more_get_weather']);
    expect(tools.descriptions[0]).toEqual({
      name: 'search',
      doc: 'Searches.\n\nArgs:\n    query: What for.',
      timeout: 60,
      attempts: 3,
      parameters: [
        { name: 'query', type: 'any', annotation: 'str' },
        { name: 'limit', type: 'any', annotation: 'int', default: 5 },
        { name: 'in_folder', type: 'any', annotation: 'str | None', optional: true },
      ],
    });
    expect(tools.descriptions[1]?.doc).toBe('Counts.\n\nReturns:\n    {count: float, names: list[str]}');
    expect(tools.descriptions[12]).toMatchObject({ timeout: 1, attempts: 1 });
    expect(await tools.call('docs_get_weather', {}, NEVER)).toBe('sunny');
  });

  it('answers with structured content, with its texts, and with lines for the rest', async () => {
    const call = (name: string, args = {}): Promise<unknown> => tools.call(name, args, NEVER);
    expect(await call('statistics')).toEqual({ count: 2, names: ['a', 'b'] });
    expect(await call('search', { query: '✈', limit: 5, in_folder: null })).toBe('{"query":"✈","limit":5}');
    expect(await call('search', { query: 'a', limit: 1, in_folder: 'b' })).toContain('"in-folder":"b"');
    expect(await call('mixed')).toBe(
      [
        'one',
        '[image: image/png, 21 bytes]',
        '[audio: audio/wav, 21 bytes]',
        '[resource: file:///a.txt, a.txt]',
        '[resource: file:///b.txt]',
        'inside b',
        '[resource: file:///c, x/y, 21 bytes]',
      ].join('\n'),
    );
    expect(await call('large', { size: 15_000_000 })).toHaveLength(15_000_000);
    await expect(call('fails')).rejects.toMatchObject({
      type: 'Tool.Refused',
      message: 'fails:\nno rows:\ntable is empty',
    });
    await expect(call('search', { query: 1, limit: 'x' })).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringMatching(/^search: query must be string/),
    });
  });

  it('gets the variables that are named, PATH and HOME, and no other', async () => {
    const own = await load({ docs: { ...node(SERVER), env_vars: ['DOCS_TOKEN'] } });
    const seen = JSON.parse(String(await own.call('environment', {}, NEVER))) as Record<string, string>;
    expect(Object.keys(seen).toSorted()).toEqual(['DOCS_TOKEN', 'HOME', 'PATH']);
    await expect(load({ docs: { ...node(SERVER), env_vars: ['OTHER'] } })).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: 'tools.mcp.docs.env_vars: OTHER is not set; set it where the worker runs',
    });
  });

  it('is started again at the next call after it died', async () => {
    const lines: string[] = [];
    const mortal = await load({ docs: node(SERVER) }, { log: (line) => lines.push(line) });
    await expect(mortal.call('dies', {}, NEVER)).rejects.toMatchObject({
      type: 'Tool.Failed',
      message: expect.stringMatching(
        /^dies: the MCP server docs was lost: .* Its standard error ends with: ready \| out of luck$/,
      ),
    });
    const pids = await Promise.all([mortal.call('pid', {}, NEVER), mortal.call('pid', {}, NEVER)]);
    expect(pids[0]).toBe(pids[1]);
    process.kill(Number(pids[0]), 'SIGKILL');
    await expect.poll(() => isRunning(Number(pids[0]))).toBe(false);
    await expect.poll(() => mortal.call('pid', {}, NEVER).catch(() => undefined)).toMatch(/^\d+$/);
    expect(lines.every((line) => line === 'The MCP server docs is started again: it had ended.')).toBe(true);
    expect(lines).toHaveLength(2);
  });

  it('stays when a call of it took too long or was cancelled', async () => {
    const pid = await tools.call('more_pid', {}, NEVER);
    await expect(tools.call('more_hangs', {}, NEVER)).rejects.toMatchObject({
      type: 'Tool.Failed',
      message: 'more_hangs has no result after 1 s, the time it has for a call.',
    });
    await expect(tools.call('more_hangs', {}, AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await tools.call('more_pid', {}, NEVER)).toBe(pid);
  });

  it('ends with all that it started', async () => {
    const own = await load({ docs: { command: 'sh', args: ['-c', `"${process.execPath}" "${SERVER}"; true`] } });
    const pids = [Number(await own.call('pid', {}, NEVER)), Number(await own.call('child', {}, NEVER))];
    expect(pids.map(isRunning)).toEqual([true, true]);
    await own.close();
    await expect.poll(() => pids.map(isRunning)).toEqual([false, false]);
    await expect(own.call('pid', {}, NEVER)).rejects.toMatchObject({
      type: 'Tool.Failed',
      message: 'pid: the MCP server docs was shut down with its worker',
    });
  });

  it.each<[string, Servers[string], string]>([
    ['is not there', { command: 'no-such-server' }, 'there is no program no-such-server, or no folder /\n'],
    [
      'fails',
      node('-e', 'console.error("a key is wanted"); process.exit(1)'),
      'MCP error -32000: Connection closed. Its standard error ends with: a key is wanted\nSee tools.mcp.docs.command',
    ],
  ])('is named where it %s', async (_, config, expected) => {
    await expect(load({ docs: config })).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringContaining(`The MCP server docs does not start: ${expected}`),
    });
  });

  it('is named where it says nothing, and neither it nor another is left running', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tools-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const waits = 'setInterval(() => {}, 1000); process.on("SIGTERM", () => {})';
    const silent = node(
      '-e',
      `require("fs").writeFileSync("one", String(process.pid)); console.error("thinking"); ${waits}`,
    );
    const other = { command: 'sh', args: ['-c', `echo $$ > two; exec "${process.execPath}" "${SERVER}"`] };
    await expect(load({ silent, other }, { startTimeout: 1, cwd: folder })).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringContaining(
        'The MCP server silent does not start: it did not answer within 1 s. Its standard error ends with: thinking\n',
      ),
    });
    const pids = ['one', 'two'].map((name) => Number(readFileSync(join(folder, name), 'utf8')));
    expect(pids.map(isRunning)).toEqual([false, false]);
  });
});

describe('a server at an address', () => {
  let server: ChildProcess;
  let url: string;

  beforeAll(async () => {
    server = spawn(process.execPath, [SERVER, 'http'], {
      env: { EXPECTED: ENV.DOCS_TOKEN },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(server.stdout ?? server, 'data')) as [Buffer];
    url = line.toString().trim();
  });

  afterAll(async () => {
    const ended = once(server, 'exit');
    server.kill();
    await ended;
  });

  it('is asked with the headers that are named', async () => {
    const tools = await load({ docs: { url, header_env: { Authorization: 'DOCS_TOKEN' } } });
    expect(await tools.call('statistics', {}, NEVER)).toEqual({ count: 2, names: ['a', 'b'] });
    expect(await tools.call('search', { query: '✈', limit: 5 }, NEVER)).toBe('{"query":"✈","limit":5}');
    await expect(load({ docs: { url } })).rejects.toMatchObject({
      type: 'Input.Invalid',
      message: expect.stringMatching(/^The MCP server docs does not start: .*who are you\?\nSee tools\.mcp\.docs\.url/),
    });
  });

  it('that has forgotten the session gets a new one in the same call', async () => {
    const tools = await load({ docs: { url, header_env: { Authorization: 'DOCS_TOKEN' } } });
    await fetch(new URL('/forget', url), { headers: { authorization: ENV.DOCS_TOKEN } });
    expect(await tools.call('docs_get_weather', {}, NEVER)).toBe('sunny');
  });

  it('that is not there is named', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    await expect(load({ docs: { url: `http://127.0.0.1:${port}/mcp` } })).rejects.toMatchObject({
      message: expect.stringMatching(/^The MCP server docs does not start: fetch failed: .*ECONNREFUSED/),
    });
  });
});
