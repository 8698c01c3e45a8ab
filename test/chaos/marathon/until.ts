import { setTimeout as delay } from 'node:timers/promises';

/** @throws Error after so many seconds */
export async function until(isSo: () => boolean | Promise<boolean>, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  // oxlint-disable-next-line no-await-in-loop -- a look at a time
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s`);
    // oxlint-disable-next-line no-await-in-loop
    await delay(50);
  }
}
