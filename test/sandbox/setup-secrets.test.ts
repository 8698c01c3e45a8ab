import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { sized } from '../sizes.ts';
import { temporaryFolder } from './fixtures.ts';

const MAKE_SANDBOX = fileURLToPath(new URL('make-sandbox.ts', import.meta.url));
const ORDINARY_UID = 61_004;

describe('a variable of sandbox.setup_env', () => {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  let count = 0;
  afterAll(() => folder.remove());

  const cases = [
    ['root', 0, 'bubblewrap'],
    ['an ordinary user', ORDINARY_UID, 'none'],
    ['root', 0, 'none'],
    ['an ordinary user', ORDINARY_UID, 'bubblewrap'],
  ] as const;
  it.for(cases.slice(0, sized(2, 4)))(
    'reaches the commands of %s (%i, isolation %s), and is in no process’s arguments',
    { timeout: 90_000 },
    async ([, uid, isolation], { skip }) => {
      if (process.getuid?.() !== 0 && uid === 0) skip('this is not root');
      const place = `${folder.path}/${(count += 1)}`;
      mkdirSync(place);
      const owner = process.getuid?.() === 0 ? { uid, gid: uid } : {};
      if (owner.uid !== undefined) chownSync(place, uid, uid);
      const secret = `secret-of-${process.pid}-${count}`;
      const marker = `${600 + count}.${process.pid}`;
      // It lives until it was looked at. Without the variable nobody finds it.
      const command = `test "$INDEX_TOKEN" = "$(printf %s-%s-%s-%s secret of ${process.pid} ${count})" && exec sleep ${marker}`;
      const child = spawn(process.execPath, [MAKE_SANDBOX, place, isolation, command, 'SECRET'], {
        ...owner,
        env: { PATH: process.env['PATH'], HOME: place, SECRET: secret },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      await expect.poll(() => commandLines().find(isSleeping(marker)), { timeout: 60_000 }).toBeDefined();
      const exposed = commandLines().filter(({ text }) => text.includes(secret));
      const sleeping = commandLines().find(isSleeping(marker));
      if (sleeping !== undefined) process.kill(sleeping.pid, 'SIGKILL');
      await once(child, 'exit');
      expect(exposed).toEqual([]);
    },
  );
});

interface CommandLine {
  readonly pid: number;
  readonly text: string;
}

const isSleeping =
  (marker: string) =>
  ({ text }: CommandLine): boolean =>
    text === `sleep\0${marker}\0`;

function commandLines(): CommandLine[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [{ pid: Number(name), text: readFileSync(`/proc/${name}/cmdline`, 'utf8') }] : [];
    } catch {
      return [];
    }
  });
}
