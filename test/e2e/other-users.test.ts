import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { temporaryFolder } from '../sandbox/fixtures.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** `nobody`: Temporal's server asks for the name of the user it runs as. */
const ORDINARY_UID = 65_534;
const OTHER_UID = 61_005;
const TIME = 240_000;

describe('other users of the machine', () => {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  afterAll(() => folder.remove());

  it.for([
    ['root', 0],
    ['an ordinary user', ORDINARY_UID],
  ] as const)(
    'read nothing that a run of %s (%i) keeps, although its folders were open and its umask is 0',
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
        NO_COLOR: '1',
      };
      const rlm = async (...args: readonly string[]): Promise<{ code: number | null; stderr: string }> => {
        const command = ['-c', 'umask 0; exec "$@"', 'sh', process.execPath, MAIN, ...args];
        const child = spawn('/bin/sh', command, { cwd: home, env, uid, gid: uid, stdio: ['ignore', 'ignore', 'pipe'] });
        let stderr = '';
        child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        const [code] = (await once(child, 'close')) as [number | null];
        return { code, stderr };
      };
      const ended = await rlm('demo', 'todo', '--id', 'first', '--latency', '20', '--results', 'results');
      const whileUp = await found(kept);
      await rlm('down');
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
