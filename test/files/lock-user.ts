/**
 * A process that takes a lock, for tests that end it: `lock-user.ts hold FILE` holds it until its input ends,
 * `lock-user.ts repeat FILE TIMES` takes it so many times, notes in FILE.log when it enters and leaves, and is killed
 * within the last time.
 */
import { appendFileSync } from 'node:fs';
import { once } from 'node:events';
import { withLock } from '../../src/files/lock.ts';

const [, , mode = '', file = '', times = '1'] = process.argv;

if (mode === 'hold') {
  await withLock(
    file,
    async () => {
      console.log('locked');
      process.stdin.resume();
      await once(process.stdin, 'end');
    },
    { onWait: () => console.log('waiting') },
  );
} else {
  const note = (what: string): void => appendFileSync(`${file}.log`, `${what} ${process.pid}\n`);
  for (let time = 0; time < Number(times); time += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await withLock(file, async () => {
      note('enter');
      await new Promise(setImmediate);
      if (time === Number(times) - 1) {
        note('die');
        process.kill(process.pid, 'SIGKILL');
      }
      note('leave');
    });
  }
}
