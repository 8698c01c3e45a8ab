import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import { devServerStatus } from '../../src/temporal/dev-server.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { sized } from '../sizes.ts';
import { temporaryFolder } from '../sandbox/fixtures.ts';
import { kill } from '../temporal/fixtures.ts';
import { listeningPorts } from '../temporal/listening-ports.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** `nobody`: Temporal's server asks for the name of the user it runs as. */
const ORDINARY_UID = 65_534;
const OTHER_UID = 61_005;
const USERS: readonly (readonly [name: string, uid: number])[] = [
  ['an ordinary user', ORDINARY_UID],
  ['root', 0],
];
const TIME = 240_000;
const STRANGER = fileURLToPath(new URL('../temporal/stranger.ts', import.meta.url));
const SECRET = 'secret-of-the-owner';

/** Configurations of inputs, and the setting of the worker that would allow each. */
const FORBIDDEN: readonly (readonly [config: object, said: RegExp])[] = [
  [{ sandbox: { isolation: 'none' } }, /worker\.allow\.isolation_none/],
  [{ sandbox: { python: '/bin/sh' } }, /worker\.allow\.python/],
  [{ sandbox: { setup: ['id'], setup_env: ['OPENROUTER_API_KEY'] } }, /worker\.allow\.setup_env/],
  [{ model: { base_url: 'http://127.0.0.1:1/v1', api_key_env: 'OPENROUTER_API_KEY' } }, /worker\.allow\.endpoints/],
  [{ tools: { mcp: { evil: { command: 'touch', args: ['pwned'] } } } }, /tools\.mcp is set by the configuration/],
];

interface Command {
  readonly pid: number;
  readonly stderr: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

describe('other users of the machine', () => {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  afterAll(() => folder.remove());

  it.for(sized(USERS.slice(0, 1), USERS))(
    'read, reach and start nothing of a worker of %s (%i), although its folders were open and its umask is 0',
    { timeout: TIME },
    async ([, uid], { skip }) => {
      if (process.getuid?.() !== 0) skip('only root can be several users');
      const home = join(folder.path, String(uid));
      const kept = ['state', 'cache', 'results'].map((name) => join(home, name));
      for (const path of [home, ...kept]) mkdirSync(path);
      for (const path of [home, ...kept]) {
        chownSync(path, uid, uid);
        chmodSync(path, 0o777);
      }
      const program = await ownTemporal(home);
      const env = {
        PATH: [dirname(program), dirname(process.execPath), process.env['PATH']].join(delimiter),
        HOME: home,
        DURABLE_RLM_STATE: join(home, 'state'),
        DURABLE_RLM_CACHE: join(home, 'cache'),
        OPENROUTER_API_KEY: SECRET,
        NO_COLOR: '1',
      };
      const owner = { cwd: home, env, uid, gid: uid };
      const start = (...args: readonly string[]): Command => {
        const command = ['-c', 'umask 0; exec "$@"', 'sh', process.execPath, MAIN, ...args];
        const child = spawn('/bin/sh', command, { ...owner, stdio: ['ignore', 'ignore', 'pipe'] });
        let stderr = '';
        child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
        return { pid: child.pid ?? 0, stderr: () => stderr, ended, kill: (signal) => void child.kill(signal) };
      };
      const rlm = (...args: readonly string[]): Command['ended'] => start(...args).ended;

      const up = start('up');
      onTestFinished(async () => {
        up.kill('SIGKILL');
        const { server } = devServerStatus(join(home, 'state', 'temporal.db'));
        if (server !== undefined) await kill(server.process);
      });
      await expect.poll(up.stderr, { timeout: 60_000 }).toContain('Working on task queue');
      const ended = await rlm('demo', 'todo', '--id', 'first', '--latency', '20', '--results', 'results');
      const whileUp = await found(kept);
      const shown = await commandLines();

      // Whoever gets at the server all the same, as its owner does here, starts what the worker allows, and no more.
      const address = devServerStatus(join(home, 'state', 'temporal.db')).server?.address ?? '';
      const temporal = (...args: readonly string[]): Promise<string> =>
        promisify(execFile)(program, [...args, '--address', address], owner).then(
          ({ stdout }) => stdout,
          (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
        );
      const refusals = await Promise.all(
        FORBIDDEN.map(async ([config, said], at) => {
          const input = JSON.stringify({ repo: 'https://127.0.0.1:1/none.git', prompt: `touch ${home}/pwned`, config });
          const execute = ['workflow', 'execute', '--type', 'investigate', '--task-queue', 'durable-rlm'];
          return [said, await temporal(...execute, '--workflow-id', `forbidden-${at}`, '--input', input)] as const;
        }),
      );

      const sockets = ['temporal.sock', 'ui.sock'].map((name) => join(dirname(address.replace('unix://', '')), name));
      const given = { sockets, ports: listeningPorts([up.pid]), workflow: 'first' };
      const stranger = { uid: OTHER_UID, gid: OTHER_UID, cwd: '/', env: {} };
      const reached = await promisify(execFile)(process.execPath, [STRANGER, JSON.stringify(given)], stranger);

      up.kill('SIGTERM');
      await up.ended;
      for (const [said, answer] of refusals) expect(answer).toMatch(said);
      expect(given.ports.length, 'that of the relay').toBeGreaterThan(0);
      expect(JSON.parse(reached.stdout)).toEqual([]);
      expect(shown.filter((line) => line.includes(SECRET))).toEqual([]);
      expect(shown.some((line) => line.includes('rlm_server'))).toBe(true);
      expect(existsSync(join(home, 'pwned'))).toBe(false);
      expect({ code: ended.code, stderr: ended.code === 0 ? '' : ended.stderr.slice(0, 2000) }).toEqual({
        code: 0,
        stderr: '',
      });
      expect(whileUp).toEqual({ readable: [], writable: ['results'] });
      expect(await found(kept)).toEqual({ readable: [], writable: ['results'] });
      expect(readdirSync(join(home, 'results')).toSorted()).toEqual(['first.detail.json', 'first.patch', 'index.json']);
      expect(readdirSync(join(home, 'state'))).toEqual(expect.arrayContaining(['blobs', 'temporal.db']));
    },
  );
});

/** What another user can read below some folders, and which of them that user can write. */
async function found(folders: readonly string[]): Promise<{ readable: string[]; writable: string[] }> {
  const find = async (...conditions: readonly string[]): Promise<string[]> => {
    // It complains of what it cannot enter, and ends with a failure.
    const { stdout } = await promisify(execFile)('find', [...folders, ...conditions], {
      uid: OTHER_UID,
      gid: OTHER_UID,
      cwd: '/',
    }).catch((error: { stdout: string }) => error);
    return stdout.split('\n').filter(Boolean);
  };
  const writable = await find('-type', 'd', '-writable');
  return {
    readable: await find('!', '-type', 'd', '-readable'),
    writable: writable.map((path) => path.slice(path.lastIndexOf('/') + 1)),
  };
}

/** The Temporal CLI at a place that every user can reach. */
async function ownTemporal(place: string): Promise<string> {
  const program = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), env: process.env });
  const target = join(place, 'bin', 'temporal');
  mkdirSync(dirname(target));
  try {
    linkSync(program, target);
  } catch {
    copyFileSync(program, target);
  }
  chmodSync(target, 0o755);
  return target;
}

/** The command lines of all processes, as another user sees them. */
async function commandLines(): Promise<string[]> {
  const as = { uid: OTHER_UID, gid: OTHER_UID, cwd: '/' };
  return (await promisify(execFile)('ps', ['-eo', 'args', '-ww'], as)).stdout.split('\n');
}
