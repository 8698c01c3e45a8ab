import { describe, expect, it, vi } from 'vitest';
import { sizedCases } from '../../sizes.ts';
import { shell } from '../fixtures.ts';
import { rigIsHere, type Fault } from './rig.ts';
import { CREATE, PATIENCE, REQUEST_TIMEOUT, withTrouble } from './trouble.ts';

const FULL: Fault = { ...CREATE, status: 400, message: 'Total CPU limit exceeded. Maximum allowed: 10.' };

describe.runIf(rigIsHere()).concurrent('a creation at Daytona', () => {
  const trouble = withTrouble();

  it(
    'that is refused says why',
    trouble(async ({ rig, provider, request }) => {
      await rig.inject({ ...CREATE, status: 400, message: 'Snapshot x not found' });
      await expect(provider.create(request())).rejects.toMatchObject({
        type: 'Sandbox.Unavailable',
        message: expect.stringMatching(/Snapshot x not found.*sandbox\.daytona/),
      });
      await rig.inject({ ...CREATE, status: 401, message: 'Unauthorized' });
      await expect(provider.create(request())).rejects.toMatchObject({
        type: 'Sandbox.Unavailable',
        message: expect.stringMatching(/refuses the key in DAYTONA_API_KEY/),
      });
    }),
  );

  it(
    'waits while the quota is full',
    trouble(async ({ rig, make }) => {
      await rig.inject({ ...FULL, count: 2 });
      await make();
      expect(await rig.clearFaults()).toEqual([2]);
    }),
  );

  it(
    'gives up, and says so, when it stays full',
    trouble(async ({ rig, provider, request }) => {
      await rig.inject({ ...FULL, count: -1 });
      await expect(provider.create(request({ create_timeout: 8 }))).rejects.toMatchObject({
        type: 'Sandbox.Unavailable',
        message: expect.stringMatching(/Total CPU limit exceeded.*max_parallel/),
      });
    }),
  );

  const answers: readonly [string, Fault][] = [
    ['answers late', { ...CREATE, delayMs: REQUEST_TIMEOUT + 500 }],
    ['never answers', { ...CREATE, hang: true }],
    ['answers when nobody listens any more', { ...CREATE, after: true, hang: true }],
  ];
  it.each(sizedCases(['answers late', 'answers when nobody listens any more'], answers))(
    'that %s makes one sandbox',
    async (_, fault) => {
      await trouble(async ({ rig, make }) => {
        await rig.inject(fault);
        const { sandbox, id } = await make();
        expect(await shell(sandbox, 'cat a.py')).toBe('x = 1\n');
        expect((await rig.sandboxes()).map(({ name }) => name)).toEqual([id]);
      })();
    },
  );

  it(
    'that never answers at all ends in time',
    trouble(async ({ rig, provider, request }) => {
      await rig.inject({ ...CREATE, hang: true, count: -1 });
      await expect(provider.create(request({ create_timeout: 8 }))).rejects.toMatchObject({
        type: 'Sandbox.Unavailable',
        message: expect.stringMatching(/in time.*create_timeout/),
      });
    }),
  );

  it(
    'whose leftovers cannot be removed at once leaves them to the sweep',
    trouble(async ({ rig, provider, request, sweep }) => {
      await rig.inject(
        { kind: 'toolbox', path: '/files/bulk-upload$', status: 403, message: 'no upload' },
        { kind: 'api', method: 'DELETE', status: 403, message: 'no deletion' },
      );
      await expect(provider.create(request())).rejects.toMatchObject({
        type: 'Sandbox.Unavailable',
        message: expect.stringContaining('no upload'),
      });
      expect(await rig.existing()).toBe(1);
      expect(await sweep()).toEqual({ removed: 1, renewed: 0 });
    }),
  );

  it(
    'whose sandbox is deleted meanwhile begins again',
    trouble(async ({ rig, provider, request }) => {
      await rig.inject({ kind: 'toolbox', method: 'POST', path: '/files/bulk-upload$', delayMs: 500 });
      const asked = request();
      const created = provider.create(asked);
      const { id } = provider.handleOf(asked);
      await vi.waitFor(async () => expect(await rig.find(id)).toMatchObject({ state: 'started' }), {
        timeout: PATIENCE,
      });
      await rig.api('DELETE', `/sandbox/${id}`);
      expect(await shell(await provider.connect(await created), 'cat a.py')).toBe('x = 1\n');
    }),
  );

  it(
    'tells Daytona nothing of its key, nor the sandbox',
    trouble(async ({ rig, make }) => {
      const { sandbox, id } = await make();
      const key = rig.environment.DAYTONA_API_KEY;
      expect(await shell(sandbox, 'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"; env')).not.toContain(key);
      expect(await shell(sandbox, `grep -rl ${key} "$HOME" /tmp . || true`)).toBe('');
      expect(JSON.stringify(await rig.find(id))).not.toContain(key);
    }),
  );
});
