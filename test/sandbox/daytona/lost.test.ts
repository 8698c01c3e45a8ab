import { describe, expect, it, vi } from 'vitest';
import { sizedCases } from '../../sizes.ts';
import { shell } from '../fixtures.ts';
import { rigIsHere, type Fault, type Rig } from './rig.ts';
import { PATIENCE, runBlock, startBlock, withTrouble } from './trouble.ts';

describe.runIf(rigIsHere()).concurrent('a sandbox of Daytona', () => {
  const trouble = withTrouble();

  const ends: readonly [string, (rig: Rig, id: string) => Promise<unknown>][] = [
    ['is killed', (rig, id) => rig.kill(id)],
    ['is killed and in an error state', (rig, id) => rig.kill(id, 'error')],
    ['is killed and removed', (rig, id) => rig.kill(id, 'destroyed')],
    ['is killed, and Daytona does not notice', (rig, id) => rig.kill(id, 'started')],
    ['is stopped', (rig, id) => rig.stop(id)],
    ['is deleted', (rig, id) => rig.api('DELETE', `/sandbox/${id}`)],
  ];
  it.each(
    sizedCases(['is killed and in an error state', 'is killed, and Daytona does not notice', 'is deleted'], ends),
  )('that %s is lost to who polls it, to who runs a command, and to who comes to it', async (_, end) => {
    await trouble(async ({ rig, make, another }) => {
      const { sandbox, id } = await make();
      await startBlock(sandbox, 1, 'import time; time.sleep(60)');
      const lost = { type: 'Sandbox.Lost' } as const;
      const polled = expect(sandbox.kernel.events({ block: 1, after: 0, waitMs: 30_000 })).rejects.toMatchObject(lost);
      const ran = expect(sandbox.kernel.process({ argv: ['sleep', '60'] })).rejects.toMatchObject(lost);
      await end(rig, id);
      await Promise.all([polled, ran]);
      await expect(another().connect(sandbox.handle)).rejects.toMatchObject(lost);
    })();
  });

  it(
    'whose kernel ends is lost, and not used again',
    trouble(async ({ provider, request }) => {
      const asked = request();
      const sandbox = await provider.connect(await provider.create(asked));
      await shell(sandbox, 'touch old; pkill -KILL -f kernel-').catch(() => undefined);
      await expect(sandbox.kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
      const another = await provider.connect(await provider.create(asked));
      expect(await shell(another, 'ls')).toBe('a.py\n');
    }),
  );

  it(
    'is not lost while Daytona itself cannot be reached: that may pass',
    trouble(async ({ rig, make }) => {
      const { sandbox } = await make();
      await rig.inject({ kind: 'preview', count: -1, status: 502 }, { kind: 'api', count: -1, status: 503 });
      const error: unknown = await sandbox.kernel.info().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: expect.stringMatching(/cannot be reached/) });
      expect(error).not.toHaveProperty('type');
      await rig.clearFaults();
      expect(await sandbox.kernel.info()).toMatchObject({ status: 'new' });
    }),
  );

  const refusals: readonly [string, Omit<Fault, 'kind'>][] = [
    ['with the way to a login', { status: 307, headers: { location: 'http://127.0.0.1:1/login' } }],
    ['with a page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }],
    ['with 401', { status: 401 }],
    ['with 403', { status: 403 }],
  ];
  it.each(sizedCases(['with the way to a login', 'with 403'], refusals))(
    'whose link is refused %s gets another',
    async (_, fault) => {
      await trouble(async ({ rig, make }) => {
        const { sandbox } = await make();
        const before = await linksGiven(rig);
        await rig.inject({ kind: 'preview', count: 2, ...fault });
        expect(await shell(sandbox, 'echo here')).toBe('here\n');
        expect(await linksGiven(rig)).toBe(before + 2);
      })();
    },
  );

  it(
    'whose link is always refused is an error that says so',
    trouble(async ({ rig, make }) => {
      const { sandbox } = await make();
      await rig.inject({ kind: 'preview', count: -1, status: 403 });
      await expect(sandbox.kernel.info()).rejects.toThrow(/cannot be reached.*403/);
    }),
  );

  it(
    'ends code that takes too much memory or time',
    trouble(async ({ make }) => {
      const { sandbox } = await make({ memory_mb: 256 });
      expect(await runBlock(sandbox, 1, 'x = bytearray(600_000_000)')).toMatchObject({ status: 'memory' });
      expect(await runBlock(sandbox, 2, 'while True: pass', 1)).toMatchObject({ status: 'timeout' });
      expect(await runBlock(sandbox, 3, 'print("alive")')).toMatchObject({ status: 'ok', stdout: 'alive\n' });
    }),
  );

  it(
    'whose deletion finds something else going on is deleted when that is over',
    trouble(async ({ rig, provider, make }) => {
      const { sandbox } = await make();
      const busy = { status: 409, message: 'Sandbox state change in progress', count: 2 };
      await rig.inject({ kind: 'api', method: 'DELETE', ...busy });
      await provider.destroy(sandbox.handle);
      expect(await rig.clearFaults()).toEqual([2]);
    }),
  );

  it(
    'in an error state is found by the sweep',
    trouble(async ({ rig, make, sweep }) => {
      const { id } = await make();
      await rig.kill(id, 'error');
      await vi.waitFor(async () => expect(await rig.find(id)).toMatchObject({ state: 'error' }), { timeout: PATIENCE });
      expect(await sweep()).toEqual({ removed: 1, renewed: 0 });
    }),
  );
});

/** How often a preview link was asked for. */
async function linksGiven(rig: Rig): Promise<number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the control plane counts
  const requests = (await rig.stats())['requests'] as Record<string, { count: number } | undefined>;
  return requests['GET /sandbox/:id/ports/:port/preview-url']?.count ?? 0;
}
