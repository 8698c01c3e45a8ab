import { createHash } from 'node:crypto';
import { mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Patch, Sandbox } from '../../src/sandbox/provider.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { sizedCases } from '../sizes.ts';
import { applyPatch } from './apply-patch.ts';
import {
  git,
  makeRepository,
  sandboxRequest,
  shell,
  temporaryFolder,
  writeTree,
  type TestRepository,
} from './fixtures.ts';

/** As git-lfs writes it into a commit in place of the content. */
const pointerTo = (content: string): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash('sha256').update(content).digest('hex')}\nsize ${content.length}\n`;

const WEIGHTS = 'weights\n'.repeat(1000);
const MODEL = 'model\n'.repeat(1000);
const FILES = {
  '.gitattributes': '[attr]large filter=lfs -text\n*.bin filter=lfs diff=lfs merge=lfs -text\n',
  'sub/.gitattributes': 'model large\n',
  'a.bin': pointerTo(WEIGHTS),
  'sub/model': pointerTo(MODEL),
  'empty.bin': '',
  'empty.txt': '',
  'plain.txt': 'one\n',
};
const POINTERS = 'Git LFS: the agents had only the pointers, not the content, of a.bin, sub/model';
const SMUDGE =
  'for i in $(seq 1000); do echo weights; done > a.bin; for i in $(seq 1000); do echo model; done > sub/model';
const leftOut = (name: string): string => `${name} is kept in Git LFS: its new content is left out of the patch`;

/** What an agent does; what the patch then has; what it says. */
const CASES: readonly [string, string, Record<string, unknown>, readonly string[]][] = [
  ['does nothing', 'true', {}, [POINTERS]],
  ['fills an empty file that is none of LFS', 'echo x > empty.txt', { 'empty.txt': ['100644', 'x\n'] }, [POINTERS]],
  ['fetches the content', SMUDGE, {}, []],
  [
    'fetches the content and moves it',
    `${SMUDGE}; mv a.bin b.bin; chmod +x sub/model`,
    { 'a.bin': 'deleted', 'b.bin': ['100644', pointerTo(WEIGHTS)], 'sub/model': ['100755', pointerTo(MODEL)] },
    [],
  ],
  [
    'changes what it fetched',
    `${SMUDGE}; echo more >> a.bin; echo more >> sub/model`,
    {},
    [leftOut('a.bin'), leftOut('sub/model')],
  ],
  ['writes content over a pointer', 'echo new > a.bin', {}, ['sub/model', leftOut('a.bin')]],
  ['adds a file that attributes give to LFS', 'echo new > new.bin', {}, [POINTERS, leftOut('new.bin')]],
  ['fills an empty file', 'echo new > empty.bin', {}, [POINTERS, leftOut('empty.bin')]],
  ['empties a file', ': > a.bin', { 'a.bin': ['100644', ''] }, ['sub/model']],
  ['appends to a pointer', 'echo more words >> a.bin', {}, ['sub/model', leftOut('a.bin')]],
  [
    'moves a pointer, deletes another, copies it',
    'cp a.bin c.bin; mv a.bin b.bin; rm sub/model',
    {
      'a.bin': 'deleted',
      'b.bin': ['100644', pointerTo(WEIGHTS)],
      'c.bin': ['100644', pointerTo(WEIGHTS)],
      'sub/model': 'deleted',
    },
    ['b.bin, c.bin'],
  ],
  [
    'writes another pointer',
    `printf '${pointerTo('other').replaceAll('\n', String.raw`\n`)}' > a.bin`,
    { 'a.bin': ['100644', pointerTo('other')] },
    [POINTERS],
  ],
  [
    'gives more files to LFS',
    'echo "*.dat filter=lfs" >> .gitattributes; echo raw > x.dat',
    { '.gitattributes': ['100644', `${FILES['.gitattributes']}*.dat filter=lfs\n`] },
    [POINTERS, leftOut('x.dat')],
  ],
  [
    'takes the attributes away and writes content',
    'rm .gitattributes; echo raw > a.bin',
    { '.gitattributes': 'deleted' },
    [leftOut('a.bin')],
  ],
  [
    'hides the attributes behind its own',
    'echo "* -filter" > .git/info/attributes; echo raw > a.bin',
    {},
    ['sub/model', leftOut('a.bin')],
  ],
  [
    'has a filter of that name',
    `git config filter.lfs.clean 'touch /tmp/ran; cat'; git config filter.lfs.required true; echo raw > a.bin`,
    {},
    ['sub/model', leftOut('a.bin')],
  ],
  ['makes a link of it', 'ln -sf elsewhere a.bin', { 'a.bin': ['120000', 'elsewhere'] }, ['sub/model']],
];

const EVERY_DAY = [
  'fetches the content and moves it',
  'changes what it fetched',
  'moves a pointer, deletes another, copies it',
  'writes another pointer',
  'gives more files to LFS',
  'hides the attributes behind its own',
  'has a filter of that name',
];

describe('Git LFS', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  let provider: LocalProvider;
  let repository: TestRepository;
  let count = 0;

  beforeAll(() => {
    provider = createLocalProvider({ stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` });
    repository = makeRepository(`${folder.path}/repository`, FILES);
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
  });

  const sandboxOf = async (of: TestRepository, setup?: string): Promise<Sandbox> => {
    count += 1;
    const commands = ['python3 -m venv --without-pip .venv', setup ?? ''];
    const more = setup === undefined ? {} : { python: '.venv', setup: { commands, timeout: 60, environment: {} } };
    return provider.connect(await provider.create(sandboxRequest(`lfs-${count}`, of, more)));
  };
  const changes = (patch: Patch, of = repository): unknown => applyPatch(folder.path, of, patch);

  it.each(sizedCases(EVERY_DAY, CASES))('in the patch of an agent that %s', async (_, script, expected, notes) => {
    const sandbox = await sandboxOf(repository);
    await shell(sandbox, `${script}; echo two >> plain.txt`);
    const patch = await sandbox.patch();
    expect(changes(patch)).toEqual({ ...expected, 'plain.txt': ['100644', 'one\ntwo\n'] });
    expect(patch.notes).toEqual(notes.map((note) => expect.stringContaining(note)));
    expect(await shell(sandbox, 'ls /tmp')).not.toContain('ran');
  });

  it('is content that sandbox.setup has fetched, which is no change', async () => {
    const sandbox = await sandboxOf(repository, SMUDGE);
    expect(await shell(sandbox, 'head -1 a.bin')).toBe('weights\n');
    await shell(sandbox, 'echo more >> sub/model');
    expect(await sandbox.patch()).toEqual({ bytes: new Uint8Array(), notes: [leftOut('sub/model')] });
  });

  it('has the names of five pointers in the note, and the number of the others', async () => {
    const pointers = Array.from({ length: 12 }, (_, place): [string, string] => [
      `${place + 10}.bin`,
      pointerTo(`${place}`),
    ]);
    const many = makeRepository(`${folder.path}/many`, { ...FILES, ...Object.fromEntries(pointers) });
    const { notes } = await (await sandboxOf(many)).patch();
    expect(notes).toEqual([expect.stringMatching(/of 10\.bin, 11\.bin, 12\.bin, 13\.bin, 14\.bin and 9 more$/)]);
  });

  describe('in a working tree of the host', () => {
    /** A clone that git-lfs would have made; content in place of its pointers. */
    const clone = (files: Readonly<Record<string, string>>): TestRepository => {
      count += 1;
      const path = join(folder.path, `clone-${count}`);
      mkdirSync(path);
      git(folder.path, ['clone', '--quiet', repository.path, path]);
      writeTree(path, files);
      for (const name of Object.keys(files)) utimesSync(join(path, name), 1, 1);
      return { ...repository, path };
    };
    const warnings = async ({ path, commit }: TestRepository): Promise<readonly string[]> =>
      (await bundleRepository({ path, commit })).warnings;
    const named = 'Git LFS: agents will have only the pointers, not the content, of a.bin, sub/model.';

    it.each([
      ['pointers, where git-lfs is not installed', {}],
      ['content in their place', { 'a.bin': WEIGHTS, 'sub/model': MODEL }],
      ['content in the place of one', { 'sub/model': MODEL }],
    ])('that has %s is clean', async (_, files) => {
      expect(await warnings(clone(files))).toEqual([named]);
    });

    it.each(
      sizedCases(
        ['other content of the same size', 'another change beside clean ones'],
        [
          ['other content', { 'a.bin': 'other' }],
          ['other content of the same size', { 'a.bin': WEIGHTS.replace('weights', 'WEIGHTS') }],
          ['the content of another file', { 'a.bin': MODEL, 'sub/model': MODEL }],
          ['a pointer to something else', { 'a.bin': pointerTo('other') }],
          ['another change beside clean ones', { 'a.bin': WEIGHTS, 'plain.txt': 'two\n' }],
        ],
      ),
    )('that has %s is changed', async (_, files) => {
      expect(await warnings(clone(files))).toEqual([expect.stringMatching(/^1 uncommitted change in /), named]);
    });

    it('asks no filter of the repository', async () => {
      const { path, commit } = clone({ 'a.bin': WEIGHTS });
      for (const name of ['clean', 'process', 'smudge'])
        git(path, ['config', `filter.lfs.${name}`, `touch ${path}/ran`]);
      expect(await warnings({ ...repository, path, commit })).toEqual([named]);
    });
  });
});
