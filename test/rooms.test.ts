import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Which folder of `src` may import which is the linter's to check. A rule about a folder that is not there checks nothing. */
interface Override {
  readonly files: readonly string[];
  readonly rules: {
    readonly 'typescript/no-restricted-imports': readonly [
      string,
      { readonly patterns: readonly [{ readonly group: readonly string[] }] },
    ];
  };
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { overrides } = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as {
  readonly overrides: readonly Override[];
};

const folderOf = (pattern: string): string => pattern.replace(/\/?(?:\*\*|\*\.ts)$/, '');

it.each(overrides)('the rule for $files names what exists', ({ files, rules }) => {
  for (const pattern of files) {
    const folder = folderOf(pattern).replace(/\/\*$/, '');
    expect(existsSync(join(ROOT, folder)), folder).toBe(true);
    // A file in a folder of the room is one level deeper.
    const from = join(ROOT, folder, pattern.includes('/*/') ? 'deeper' : '');
    const allowed = rules['typescript/no-restricted-imports'][1].patterns[0].group.filter((each) =>
      each.startsWith('!../'),
    );
    for (const each of allowed) expect(existsSync(join(from, folderOf(each.slice(1)))), each).toBe(true);
  }
});

it('has a rule for every folder but those that wire things together', () => {
  const ruled = overrides.flatMap(({ files }) => files.map((file) => file.split('/')[1]));
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).filter((name) => !ruled.includes(name))).toEqual(['cli']);
});
