import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeAbandoned, temporaryName } from './abandoned-files.ts';

const PREFIX = 'durable-rlm-';
const KINDS = ['git', 'view', 'bundle', 'blob'] as const;

/** Makes a folder for this user alone among the machine's temporary files. Its maker removes it. */
export function makeTemporaryFolder(kind: (typeof KINDS)[number]): string {
  const path = join(tmpdir(), `${PREFIX}${kind}-${temporaryName()}`);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** Removes those whose makers were killed. What resists is in nobody's way. */
export async function removeAbandonedFolders(): Promise<void> {
  await Promise.allSettled(KINDS.map((kind) => removeAbandoned(tmpdir(), `${PREFIX}${kind}-`)));
}
