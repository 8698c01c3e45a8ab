import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildKernelArchive, findPython } from '../../src/sandbox/kernel-archive.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-archive-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('buildKernelArchive', () => {
  it('builds one file for a content and a version, however many ask at once', async () => {
    const { path: python, version } = await findPython();
    const cacheDirectory = join(folder, 'below', 'cache');
    const paths = await Promise.all(Array.from({ length: 6 }, () => buildKernelArchive({ python, cacheDirectory })));
    expect(new Set(paths).size).toBe(1);
    expect(paths[0]).toContain(`kernel-${version}-`);
    expect(readdirSync(cacheDirectory)).toHaveLength(1);
    expect(statSync(paths[0] ?? '').mode & 0o777).toBe(0o644);
  });

  it('does not build again what is there', async () => {
    const { path: python } = await findPython();
    const first = await buildKernelArchive({ python, cacheDirectory: folder });
    const before = statSync(first);
    expect(await buildKernelArchive({ python, cacheDirectory: folder })).toBe(first);
    expect(statSync(first).ino).toBe(before.ino);
  });

  it('says what to do where it cannot', async () => {
    await expect(buildKernelArchive({ python: '/no/python', cacheDirectory: folder })).rejects.toMatchObject({
      type: 'Sandbox.Unavailable',
      message: expect.stringContaining('sandbox.python'),
    });
  });
});

describe('findPython', () => {
  it('finds one that every user can read', async () => {
    const found = await findPython();
    expect(found.version).toMatch(/^3\.\d+\.\d+$/);
    expect(statSync(found.path).mode & 0o005).toBe(0o005);
  });

  it('takes the one that is preferred, or says why not', async () => {
    const { path } = await findPython();
    const link = join(folder, 'python');
    chmodSync(folder, 0o755);
    symlinkSync(path, link);
    expect((await findPython({ preferred: link })).path).toBe(link);
    await expect(findPython({ preferred: join(folder, 'none') })).rejects.toMatchObject({
      type: 'Sandbox.Unavailable',
      message: expect.stringContaining(`named in sandbox.python, ${join(folder, 'none')}, cannot be used`),
    });
  });

  it('refuses one that is too old, does not run, or, for root, lies in a private folder', async () => {
    const forged = (name: string, script: string): string => {
      const path = join(folder, name);
      writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return path;
    };
    const cases: [string, RegExp][] = [
      [forged('old', 'printf "3.8.1\\n/usr/bin/python3\\n/usr/lib\\n"'), /old is version 3\.8\.1\./],
      [forged('broken', 'exit 1'), /broken does not run\./],
      [forged('private', `printf "3.11.1\\n${folder}/private\\n/usr/lib\\n"`), /private lies in a private folder/],
      [
        forged('linked', `printf "3.11.1\\n${folder}/private\\n/usr/lib\\n"`),
        /linked is \S+\/private, which lies in a private folder \(\S+\), which the user/,
      ],
    ];
    mkdirSync(join(folder, 'x'));
    chmodSync(folder, 0o700);
    for (const [preferred, reason] of process.getuid?.() === 0 ? cases : cases.slice(0, 2)) {
      // oxlint-disable-next-line no-await-in-loop
      await expect(findPython({ preferred })).rejects.toMatchObject({ message: expect.stringMatching(reason) });
    }
  });
});
