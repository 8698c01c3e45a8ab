import { afterAll, describe, expect, it } from 'vitest';
import { createDaytonaProvider } from '../../../src/sandbox/daytona/index.ts';
import { describeProvider } from '../conformance.ts';
import { temporaryFolder } from '../fixtures.ts';
import { rigIsHere, startRig, type Rig } from './rig.ts';

describe.runIf(rigIsHere())('on the real daemon', () => {
  let rig: Rig | undefined;

  // A minute of Daytona's clock takes a second here, so that what is idle ends while a test waits for it.
  describeProvider('sandboxes of Daytona', async () => {
    rig = await startRig('--minute-ms', '1000');
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

  it('nothing of them is left', async () => {
    await expect.poll(() => rig?.existing(), { timeout: 10_000 }).toBe(0);
  });

  afterAll(() => rig?.close());
});
