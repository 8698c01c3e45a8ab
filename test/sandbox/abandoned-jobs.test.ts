import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { findMarked, type ProcessIdentity } from '../../src/sandbox/host/processes.ts';
import { Launcher } from '../../src/sandbox/local/launcher.ts';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import { seeded } from '../chaos/random.ts';
import { sized } from '../sizes.ts';
import { sleepingJob } from './fixtures.ts';

const KILLS = sized(12, 200);

it(`nothing is left of jobs whose launchers are killed at any moment (${KILLS} of them)`, async () => {
  const random = seeded(20261130);
  // Seconds that nobody else sleeps: by this they are found.
  const seconds = `600.${process.pid}`;
  const ours = (): ProcessIdentity[] => findMarked({ commandLine: [`sleep\0${seconds}`], environment: [] });
  const { path } = await findPython();
  const spec = sleepingJob(path, seconds);
  let begun = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const launcher = new Launcher(path);
    const job = launcher.job(spec, 30_000);
    // In every other round while bubblewrap is at work, else at any moment since the launcher was started.
    const isBegun = round % 2 === 0;
    if (isBegun) await vi.waitFor(() => expect(ours()).not.toEqual([]), { timeout: 10_000, interval: 1 });
    await delay(random.next() * (isBegun ? 4 : 80));
    begun += ours().length;
    if (launcher.pid !== undefined) process.kill(launcher.pid, 'SIGKILL');
    await expect(job).rejects.toThrow('the launcher of sandboxes has ended');
    await delay(100);
    await vi.waitFor(() => expect(ours()).toEqual([]), 5000);
  }
  expect(begun).toBeGreaterThanOrEqual(KILLS / 2);
});
