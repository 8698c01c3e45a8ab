import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { identify, isAlive, kill, untilEnded, type ProcessIdentity } from '../../src/sandbox/host/processes.ts';

/** The leader of a group of its own, and what it prints first. */
async function leader(script: string): Promise<{ readonly identity: ProcessIdentity; readonly printed: string }> {
  const child = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const [printed] = (await once(child.stdout, 'data')) as [Buffer];
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new Error('it has ended');
  onTestFinished(() => kill(identity, true));
  return { identity, printed: printed.toString().trim() };
}

it('a process that has got the number of one that ended is left alone, and its group', async () => {
  const { identity } = await leader('echo ready; sleep 60; true');
  kill({ ...identity, start: identity.start - 1 }, true);
  expect(await untilEnded([identity], 200)).toEqual([identity]);
  kill(identity, true);
  expect(await untilEnded([identity], 5000)).toEqual([]);
});

it('a group whose leader has ended is killed all the same', async () => {
  const { identity, printed } = await leader('sleep 60 >/dev/null & echo $!; sleep 0.3');
  const member = identify(Number(printed));
  await untilEnded([identity], 5000);
  expect([isAlive(identity), member !== undefined && isAlive(member)]).toEqual([false, true]);
  kill(identity, true);
  expect(await untilEnded(member === undefined ? [] : [member], 5000)).toEqual([]);
});
