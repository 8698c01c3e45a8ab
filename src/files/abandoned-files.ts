import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { processStart } from './process-start.ts';

/** Milliseconds after which what a process of another host, or of an earlier boot, has left half-made counts as abandoned. */
const AGE = 86_400_000;

/** A name for what is being made; it names the process that makes it, so that what killed processes left can be recognised. */
export function temporaryName(): string {
  thisProcess ??= `${owner()}-${process.pid}-${processStart(process.pid) ?? 0}`;
  return `${thisProcess}-${randomUUID()}`;
}

let thisProcess: string | undefined;

/**
 * Removes what processes that are gone have left in a folder, into which several hosts may write: files and folders whose
 * names are `prefix` and a temporary name.
 */
export async function removeAbandoned(folder: string, prefix = ''): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix));
  const abandoned = await Promise.all(names.map((name) => isAbandoned(folder, name, prefix)));
  await Promise.all(
    names
      .filter((_, index) => abandoned[index])
      .map((name) => rm(join(folder, name), { recursive: true, force: true })),
  );
}

const TEMPORARY = /^([0-9a-f]{12})-(\d+)-(\d+)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

async function isAbandoned(folder: string, name: string, prefix: string): Promise<boolean> {
  const [, maker, pid, start] = TEMPORARY.exec(name.slice(prefix.length)) ?? [];
  if (maker === undefined || pid === undefined) return false;
  if (maker === owner()) return processStart(Number(pid)) !== start;
  const modified = (await lstat(join(folder, name)).catch(() => undefined))?.mtimeMs;
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
