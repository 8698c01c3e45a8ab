import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Patch } from '../../src/sandbox/provider.ts';
import { git, type TestRepository } from './fixtures.ts';

let count = 0;

/** What a patch makes of the commit it was taken against: path to mode and content, of files that it changes; as Latin-1. */
export function applyPatch(
  folder: string,
  repository: TestRepository,
  patch: Patch,
): Record<string, readonly [mode: string, content: string] | 'deleted'> {
  count += 1;
  const index = join(folder, `applied-${count}`);
  mkdirSync(index);
  git(index, ['init', '--quiet']);
  git(index, ['fetch', '--quiet', repository.path, repository.commit]);
  git(index, ['read-tree', repository.commit]);
  if (patch.bytes.length > 0) git(index, ['apply', '--cached', '--whitespace=nowarn'], Buffer.from(patch.bytes));
  const fields = git(index, ['diff-index', '--cached', '--raw', '-z', '--no-renames', '--abbrev=40', repository.commit])
    .toString('latin1')
    .split('\0');
  const changes: ReturnType<typeof applyPatch> = {};
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [, mode = '', , blob = '', status] = fields[at]?.split(' ') ?? [];
    const path = fields[at + 1] ?? '';
    changes[path] = status === 'D' ? 'deleted' : [mode, git(index, ['cat-file', 'blob', blob]).toString('latin1')];
  }
  return changes;
}
