import { execFile } from 'node:child_process';
import { accessSync, chownSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './fixtures.ts';
import { runAttempts, type AttemptResult } from './run-attempts.ts';

const ORDINARY_UID = 61_001;
const SCRIPT = fileURLToPath(new URL('run-attempts.ts', import.meta.url));

/** Why the attempts cannot be made as an ordinary user here; undefined when they can. */
function cannotSwitch(): string | undefined {
  if (process.getuid?.() !== 0) return 'the tests themselves run as an ordinary user';
  for (const file of [process.execPath, SCRIPT]) {
    accessSync(file, constants.R_OK);
    for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
      if ((statSync(folder).mode & 0o001) === 0) return `${folder} is closed to other users`;
    }
  }
  return undefined;
}

const possible = (results: readonly AttemptResult[]): readonly AttemptResult[] =>
  results.filter(({ blocked }) => !blocked);

describe('code in a local sandbox', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  it(`can do nothing to the host of a worker that runs as ${process.getuid?.() === 0 ? 'root' : 'an ordinary user'}`, async () => {
    const results = await runAttempts(`${folder.path}/own`);
    expect(results.length).toBeGreaterThan(100);
    expect(possible(results)).toEqual([]);
  }, 120_000);

  const why = cannotSwitch();
  it.skipIf(why !== undefined)(
    `can do nothing to the host of a worker that runs as another user${why === undefined ? '' : ` (skipped: ${why})`}`,
    async () => {
      const path = `${folder.path}/other`;
      mkdirSync(path);
      // The worker needs its way in, and only that.
      chownSync(folder.path, ORDINARY_UID, ORDINARY_UID);
      chownSync(path, ORDINARY_UID, ORDINARY_UID);
      const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, path], {
        uid: ORDINARY_UID,
        gid: ORDINARY_UID,
        cwd: '/',
        env: { PATH: process.env['PATH'], HOME: path, TMPDIR: path },
        maxBuffer: 16 * 1024 * 1024,
      });
      const results: AttemptResult[] = JSON.parse(stdout);
      expect(results.length).toBeGreaterThan(100);
      expect(possible(results)).toEqual([]);
    },
    120_000,
  );
});
