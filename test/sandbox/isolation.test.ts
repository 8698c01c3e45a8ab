import { execFile } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { cannotSwitch, ORDINARY_UID } from './another-user.ts';
import { temporaryFolder } from './fixtures.ts';
import { runAttempts, type AttemptResult } from './run-attempts.ts';

const SCRIPT = fileURLToPath(new URL('run-attempts.ts', import.meta.url));

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

  const why = cannotSwitch(SCRIPT);
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
