import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Milliseconds after which a half-written file of another host, or of an earlier boot, counts as abandoned. */
const AGE = 86_400_000;

/** A name for a file that is being written; it names the writing process, so that files of killed processes can be recognised. */
export function temporaryName(): string {
  return `${owner()}-${process.pid}-${randomUUID()}`;
}

/** Removes files of that folder whose writers are gone. Several hosts may write to it. */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = await readdir(folder);
  const abandoned = await Promise.all(names.map((name) => isAbandoned(folder, name)));
  await Promise.all(
    names.filter((_, index) => abandoned[index]).map((name) => rm(join(folder, name), { force: true })),
  );
}

/** With an owner and without, as older versions wrote it. */
const TEMPORARY = /^(?:([0-9a-f]{12})-(\d+)-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const match = TEMPORARY.exec(name);
  if (match === null) return false;
  const [, writer, pid] = match;
  if (writer === owner()) return !isAlive(Number(pid));
  const modified = (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs;
  return modified !== undefined && modified < Date.now() - AGE;
}

let known: string | undefined;

/** Who sees the same processes under the same numbers: this host since it was started, and in a container that. */
function owner(): string {
  known ??= createHash('sha256')
    .update(JSON.stringify([hostname(), bootId(), processNamespace()]))
    .digest('hex')
    .slice(0, 12);
  return known;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  } catch {
    return '';
  }
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
