import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { findPython } from './find-python.ts';

/** Says `waiting` when somebody else has the lock, `locked` when it has it, and ends with its standard input. */
const HOLDER = `
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("waiting", flush=True)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
`;

/**
 * Does something while no other process does, by a lock of the kernel's: it is free again whenever and however
 * this process ends. Waits as long as it takes.
 *
 * @param onWait called once when another process has the lock.
 */
export async function withFileLock<T>(file: string, onWait: () => void, action: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn(findPython(), ['-I', '-S', '-c', HOLDER, file], { stdio: ['pipe', 'pipe', 'ignore'] });
  const exited = new Promise<never>((_, reject) => {
    holder.once('error', reject);
    holder.once('exit', () => reject(new Error(`The lock ${file} cannot be taken.`)));
  });
  exited.catch(() => undefined);
  try {
    await Promise.race([exited, locked(holder.stdout, onWait)]);
    return await action();
  } finally {
    if (holder.exitCode === null && holder.signalCode === null) {
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    }
  }
}

async function locked(output: AsyncIterable<Buffer>, onWait: () => void): Promise<void> {
  for await (const said of output) {
    const text = said.toString();
    if (text.includes('waiting')) onWait();
    if (text.includes('locked')) return;
  }
}
