import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { createDaytonaProvider } from '../../../src/sandbox/daytona/index.ts';
import { describeProvider } from '../conformance.ts';
import { sandboxRequest, temporaryFolder } from '../fixtures.ts';
import { rigIsHere, startRig, type Rig } from './rig.ts';

describe.runIf(rigIsHere())('on the real daemon', () => {
  let rig: Rig | undefined;

  // A minute of Daytona's clock takes three seconds here, so that what is idle ends while a test waits for it.
  describeProvider('sandboxes of Daytona', async () => {
    rig = await startRig('--minute-ms', '3000');
    const folder = temporaryFolder();
    const { environment } = rig;
    const another = (): ReturnType<typeof createDaytonaProvider> =>
      createDaytonaProvider({ environment, cacheDirectory: `${folder.path}/cache` });
    const provider = another();
    return {
      provider,
      another,
      isolation: 'bubblewrap',
      close: async () => {
        await provider.close();
        folder.remove();
      },
    };
  });

  it('one that is renewed lives on, beyond its idle time and its time to live', async () => {
    const folder = temporaryFolder();
    const provider = createDaytonaProvider({
      environment: (rig as Rig).environment,
      cacheDirectory: `${folder.path}/cache`,
    });
    try {
      const asked = sandboxRequest('renewed', undefined, { idle_timeout: 60, daytona: { ttl: 60 } });
      const handle = await provider.create(asked);
      const { kernel } = await provider.connect(handle);
      const until = Date.now() + 4_000;
      // oxlint-disable-next-line no-await-in-loop -- one after another, as time passes
      for (; Date.now() < until; await delay(200)) await kernel.renew();
      expect(await rig?.find(handle.id)).toMatchObject({ state: 'started' });
      await provider.destroy(handle);
    } finally {
      await provider.close();
      folder.remove();
    }
  });

  it('nothing of them is left', async () => {
    await expect.poll(() => rig?.existing(), { timeout: 60_000 }).toBe(0);
  });

  afterAll(() => rig?.close());
});
