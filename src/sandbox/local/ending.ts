import { rmdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { bootId, findMarked, kill, terminate, untilEnded, type Marks } from '../host/processes.ts';
import type { SandboxRecords } from './records.ts';

const PATIENCE_MS = 5_000;
const GROUP_PATIENCE_MS = 1_000;
const TERMINATION_MS = 1_000;

/**
 * Ends every process of a sandbox, however far it has come, and removes its folder.
 *
 * Its first process takes all others with it (it is pid 1 of their namespace). A sandbox whose record was not
 * completed may have any part of it: so also the process group it was started in, and whatever has its marks.
 * What is being started at this very moment sees the `ended` file, or has left its launch record.
 *
 * @param marks by which all that belongs to the sandbox is found; see `processMatchers`.
 */
export async function endSandbox(records: SandboxRecords, id: string, marks: Marks): Promise<void> {
  if (!records.exists(id)) return;
  await records.markEnded(id);
  const record = records.read(id);
  const sameBoot = record === undefined || record.boot === bootId();
  if (sameBoot) {
    const running = record?.running;
    const launch = running?.launch ?? records.launch(id);
    const known = [running?.child, launch].filter((identity) => identity !== undefined);
    const plain = record?.isolation === 'none';
    if (plain && running !== undefined) {
      // Without a namespace only the kernel itself knows all that came from its code.
      terminate(running.child);
      await untilEnded([running.child], TERMINATION_MS);
    }
    if (running !== undefined) kill(running.child, plain);
    // Killed by itself, bubblewrap's monitor would leave its child: it ends when the child does, and is collected.
    const left = running === undefined ? known : await untilEnded(known, 200);
    for (const identity of left) kill(identity, true);
    if (plain || running === undefined) await killMarked(marks);
    await untilEnded(left, PATIENCE_MS);
  }
  await removeGroups(records.groups(id));
  await records.remove(id);
}

/** A group can be removed once its last process has been collected, which may take a moment. */
async function removeGroups(groups: readonly string[]): Promise<void> {
  const deadline = Date.now() + GROUP_PATIENCE_MS;
  for (const group of groups) {
    // oxlint-disable-next-line no-await-in-loop -- one after another
    while (!(await removeGroup(group)) && Date.now() < deadline) await delay(10);
  }
}

/** False where it is still in use. */
function removeGroup(group: string): Promise<boolean> {
  return rmdir(group).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'EBUSY',
  );
}

/** Again and again until a look finds nothing: what is killed may have forked a moment before. */
async function killMarked(marks: Marks): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const found = findMarked(marks);
    if (found.length === 0) return;
    for (const identity of found) kill(identity, false);
    // oxlint-disable-next-line no-await-in-loop -- one look after another
    await untilEnded(found, PATIENCE_MS);
  }
}
