import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPrivateMarks } from '../../src/config/private-marks.ts';

const MODULE = fileURLToPath(new URL('../../src/config/private-marks.ts', import.meta.url));
const HASH = 'a'.repeat(64);
const OTHER = 60_999;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'marks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What a mark is worth to another user. */
function asOther(marks: string): string {
  const program = `const { createPrivateMarks } = await import(${JSON.stringify(MODULE)});
    console.log(await createPrivateMarks(${JSON.stringify(marks)}).has(${JSON.stringify(HASH)}));`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    uid: OTHER,
    gid: OTHER,
    cwd: '/',
    encoding: 'utf8',
  }).trim();
}

describe('a mark', () => {
  it('is in a folder and a file of its user alone', async () => {
    const marks = createPrivateMarks(join(folder, 'state', 'marks'));
    expect(await marks.has(HASH)).toBe(false);
    await marks.add(HASH, 'a run');
    expect(await marks.has(HASH)).toBe(true);
    expect(await marks.has('b'.repeat(64))).toBe(false);
    expect(statSync(join(folder, 'state', 'marks')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'state', 'marks', HASH)).mode & 0o777).toBe(0o600);
  });

  it('counts for nothing in a folder that others can write, or behind a link, and is not put there', async () => {
    const marks = join(folder, 'marks');
    mkdirSync(marks);
    writeFileSync(join(marks, HASH), '');
    chmodSync(marks, 0o777);
    expect(await createPrivateMarks(marks).has(HASH)).toBe(false);
    chmodSync(marks, 0o700);
    chmodSync(join(marks, HASH), 0o622);
    expect(await createPrivateMarks(marks).has(HASH)).toBe(false);
    symlinkSync(marks, join(folder, 'link'));
    await expect(createPrivateMarks(join(folder, 'link')).add(HASH, '')).rejects.toThrow('belongs to another user');
  });

  it('never has a name that leads elsewhere', async () => {
    await expect(createPrivateMarks(folder).has(`../${HASH}`)).rejects.toThrow('Not a hash');
    await expect(createPrivateMarks(folder).add('../../x', '')).rejects.toThrow('Not a hash');
  });

  it('of another user counts for nothing, for root and for an ordinary user', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('only root can make files of another user');
    const marks = join(folder, 'marks');
    chmodSync(folder, 0o755);
    mkdirSync(marks, { mode: 0o755 });
    writeFileSync(join(marks, HASH), '');
    expect(await createPrivateMarks(marks).has(HASH)).toBe(true);
    expect(asOther(marks), 'of root, to another').toBe('false');
    chownSync(join(marks, HASH), OTHER, OTHER);
    expect(await createPrivateMarks(marks).has(HASH), 'a file of another, in a folder of root').toBe(false);
    expect(asOther(marks), 'an own file, in a folder of root').toBe('false');
    chownSync(marks, OTHER, OTHER);
    expect(asOther(marks), 'an own file in an own folder').toBe('true');
    await expect(createPrivateMarks(marks).add(HASH, ''), 'root, in a folder of another').rejects.toThrow(
      'belongs to another user',
    );
  });
});
