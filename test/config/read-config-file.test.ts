import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/read-config-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
  ['a pipe', (path: string): void => void execFileSync('mkfifo', [path])],
  ['a link to a device without an end', (path: string): void => symlinkSync('/dev/zero', path)],
])('a config.yaml that was only found and is %s is refused, and not waited for', async (_name, make) => {
  make(join(folder, 'config.yaml'));
  await expect(readConfigFile('config.yaml', { folder, origin: 'found' })).rejects.toThrow('is not a file');
});
