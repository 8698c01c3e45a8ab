import { describe, expect, it } from 'vitest';
import { runGit } from '../../src/sandbox/repository/git.ts';

/** A process that leaves git's group and keeps its outputs open, as ssh does whose connection is to persist. */
const LINGERER = 'setsid sleep 6';

describe('git on the host', { concurrent: true }, () => {
  it('is not waited for longer than it runs, where a helper of its keeps its standard error', async () => {
    const began = Date.now();
    const alias = `alias.fetch-by-ssh=!echo done; ${LINGERER} >/dev/null &`;
    expect(await runGit(['-c', alias, 'fetch-by-ssh'])).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(Date.now() - began).toBeLessThan(4000);
  });

  it('ends at its timeout, also where another process holds its outputs', async () => {
    const began = Date.now();
    const alias = `alias.hang=!echo begun; ${LINGERER} & sleep 6`;
    const result = await runGit(['-c', alias, 'hang'], { timeoutMs: 500 });
    expect(result).toMatchObject({ stdout: 'begun\n', stderr: 'no answer within 0.5 s' });
    expect(Date.now() - began).toBeLessThan(4000);
  });
});
