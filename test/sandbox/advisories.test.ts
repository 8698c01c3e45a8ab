import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { RepositoryCache } from '../../src/sandbox/repository/repository-cache.ts';
import { resolveCommit } from '../../src/sandbox/repository/resolve-commit.ts';
import { sizedCases } from '../sizes.ts';
import {
  git,
  LABELS,
  makeReady,
  makeRepository,
  repositoryAt,
  runCode,
  sandboxRequest,
  temporaryFolder,
  type TestRepository,
} from './fixtures.ts';

/**
 * What this year's advisories for agent tools were about, as hostile repositories and code. Those about configuration that is
 * read on the host (fsmonitor, hooks, filters, `.git` files) are in git-on-host.test.ts, about patches in check-patch.test.ts
 * and patch-safety.test.ts, about terminals in ../cli/live/terminal-text.test.ts.
 */
const folder = temporaryFolder();
const outside = join(folder.path, 'outside');
const ran = join(folder.path, 'ran');
let provider: LocalProvider;
const cache = new RepositoryCache(join(folder.path, 'cache-of-repositories'));
beforeAll(() => {
  mkdirSync(outside);
  provider = createLocalProvider({
    stateDirectory: join(folder.path, 'state'),
    cacheDirectory: join(folder.path, 'cache'),
    log: () => undefined,
  });
});
afterAll(async () => {
  for (const { handle } of await provider.list()) await provider.destroy(handle);
  await provider.close();
  folder.remove();
});

/** A commit of entries as `git mktree` takes them, whatever they are. */
function commitOf(path: string, entries: readonly string[]): TestRepository {
  const repository = makeRepository(path, { 'a.txt': 'a\n' });
  const tree = git(path, ['mktree', '--missing', '-z'], Buffer.from(`${entries.join('\0')}\0`, 'latin1'))
    .toString()
    .trim();
  const commit = git(path, ['commit-tree', tree, '-m', 'hostile']).toString().trim();
  git(path, ['update-ref', 'refs/heads/main', commit]);
  return { ...repository, ...repositoryAt(path) };
}

const blobOf = (path: string, text: string): string =>
  git(path, ['hash-object', '-w', '--stdin'], Buffer.from(text)).toString().trim();

/** What happened outside of the sandboxes. */
const happened = (): readonly unknown[] => [existsSync(ran), readdirSync(outside)];

describe('a repository', () => {
  const HOOK = `#!/bin/sh\ntouch ${ran}\n`;
  const cases: readonly (readonly [
    name: string,
    entries: (path: string) => readonly string[],
    last?: (path: string) => void,
  ])[] = [
    [
      'that checks a file out through its own link',
      (path) => [
        `120000 blob ${blobOf(path, outside)}\tlink`,
        `040000 tree ${git(path, ['mktree'], Buffer.from(`100755 blob ${blobOf(path, HOOK)}\tpost-checkout\n`))
          .toString()
          .trim()}\tlink`,
      ],
    ],
    [
      'with a submodule whose name leads into the repository, and whose path ends in a return',
      (path) => [
        `100644 blob ${blobOf(path, `[submodule "../../.git/hooks"]\n\tpath = sub\r\n\turl = ${outside}\n\tupdate = !touch ${ran}\n`)}\t.gitmodules`,
        `160000 commit ${'1'.repeat(40)}\tsub\r`,
        `120000 blob ${blobOf(path, '.git/hooks')}\tsub`,
      ],
    ],
    [
      'with files in .GIT, git~1 and a folder called .git in another case',
      (path) => {
        const hooks = git(path, ['mktree'], Buffer.from(`100755 blob ${blobOf(path, HOOK)}\tpost-checkout\n`))
          .toString()
          .trim();
        const inner = git(path, ['mktree'], Buffer.from(`040000 tree ${hooks}\thooks\n`))
          .toString()
          .trim();
        return ['.GIT', 'git~1', '.git '].map((name) => `040000 tree ${inner}\t${name}`);
      },
    ],
    [
      'whose attributes and filters name programs, also by attr.tree',
      (path) => {
        for (const [name, value] of [
          ['attr.tree', 'HEAD'],
          ['filter.evil.smudge', `touch ${ran}`],
          ['filter.evil.process', `touch ${ran}`],
        ] as const)
          git(path, ['config', name, value]);
        return [
          `100644 blob ${blobOf(path, '* filter=evil diff=evil\n')}\t.gitattributes`,
          `100644 blob ${blobOf(path, 'x')}\tfile`,
        ];
      },
    ],
    [
      'with a line break in a value of its configuration',
      (path) => [`100644 blob ${blobOf(path, 'x')}\tfile`],
      (path) => {
        const config = join(path, '.git/config');
        const injected = `input\\n[core]\\n\\tfsmonitor = touch ${ran}\\n\\tsshCommand = touch ${ran}`;
        const more = `[core]\n\tautocrlf = "${injected}"\n\texcludesFile = "x\\nfsmonitor = touch ${ran}"\n`;
        writeFileSync(config, readFileSync(config, 'utf8') + more);
      },
    ],
  ];

  it.each(cases.map(([name, entries, last]) => ({ name, entries, last })))(
    '$name does nothing outside of its sandbox',
    async ({ name, entries, last }) => {
      const path = join(folder.path, `repository-${name.length}`);
      makeRepository(path, { 'a.txt': 'a\n' });
      const repository = commitOf(path, entries(path));
      last?.(path);
      await bundleRepository({ path, commit: repository.commit }).then(
        ({ stream }) => stream.destroy(),
        () => undefined,
      );
      // It may be refused; what it must not do is reach beyond.
      const made = await provider.create(sandboxRequest(`h${name.length}`, repository)).catch((error: Error) => error);
      if (!(made instanceof Error)) {
        const sandbox = await provider.connect(made);
        await sandbox.patch();
        await provider.destroy(made);
      }
      expect(happened()).toEqual([false, []]);
    },
    60_000,
  );

  const pipes: readonly [string, string][] = [
    ['in the place of its index', '.git/index'],
    ['among its references', '.git/refs/heads/pipe'],
    ['in the place of what it ignores', '.git/info/exclude'],
    ['for .gitignore', 'sub/.gitignore'],
  ];
  it.each(sizedCases(['in the place of its index', 'for .gitignore'], pipes))(
    'with a pipe %s does not keep anybody waiting',
    async (_, place) => {
      const path = join(folder.path, `pipe-${place.replaceAll('/', '-')}`);
      const { commit } = makeRepository(path, { 'sub/a.txt': 'a\n' });
      execFileSync('sh', ['-c', 'rm -f "$1"; mkfifo "$1"', 'sh', join(path, place)]);
      const began = performance.now();
      const said = await bundleRepository({ path, commit }).then(
        ({ stream, warnings }) => {
          stream.destroy();
          return warnings.join('\n');
        },
        (error: Error) => error.message,
      );
      await resolveCommit(cache, { repository: { kind: 'path', path } }).catch(() => undefined);
      expect(said).toMatch(/is a pipe/);
      expect(performance.now() - began).toBeLessThan(15_000);
    },
    30_000,
  );
});

describe('code in a sandbox', () => {
  it('leaves no configuration for a sandbox that comes later, or for the host', async () => {
    const repository = makeRepository(join(folder.path, 'twice'), { 'a.txt': 'a\n' });
    const request = (agent: string): ReturnType<typeof sandboxRequest> =>
      sandboxRequest(`config-${agent}`, repository, { labels: { ...LABELS, agent } });
    const code = `
import os, pathlib, site, subprocess
home = pathlib.Path.home()
places = [home / ".gitconfig", home / ".config/git/config", home / ".config/pip/pip.conf", home / ".npmrc", home / ".netrc", home / ".bashrc",
    pathlib.Path(site.getusersitepackages()) / "usercustomize.py", pathlib.Path(".git/hooks/post-checkout"), pathlib.Path(".git/config"),
    pathlib.Path(".git/info/attributes"), pathlib.Path("/etc/gitconfig"), pathlib.Path("/tmp/sitecustomize.py"), pathlib.Path("/run/rlm/scratch/x")]
def state(): return [path.read_bytes() if path.is_file() else None for path in places]`;
    const write = `
before = state()
for path in places:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("hostile")
        path.chmod(0o755)
    except OSError: pass
print(sum(was != now for was, now in zip(before, state())) >= 10, [text == b"hostile" for text in before].count(True))`;
    const first = await makeReady(provider, request('first'));
    expect((await runCode(first, 1, code + write)).stdout).toBe('True 0\n');
    const later = await makeReady(provider, request('later'));
    expect(
      (await runCode(later, 1, `${code}\nprint([text == b"hostile" for text in state()].count(True))`)).stdout,
    ).toBe('0\n');
    for (const { handle } of [first, later]) await provider.destroy(handle);
    const third = await makeReady(provider, request('third'));
    expect(
      (await runCode(third, 1, `${code}\nprint([text == b"hostile" for text in state()].count(True))`)).stdout,
    ).toBe('0\n');
    await provider.destroy(third.handle);
    expect(happened()).toEqual([false, []]);
  });

  it('finds nothing mounted below a folder that it can write', async () => {
    const sandbox = await makeReady(
      provider,
      sandboxRequest('mounts', makeRepository(join(folder.path, 'mounts'), { 'a.txt': 'a\n' })),
    );
    const code = `
import os
points = [line.split()[4] for line in open("/proc/self/mountinfo")]
def writable(folder):
    try: os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR)); return True
    except OSError: return os.access(folder, os.W_OK)
def above(point):
    while point != "/":
        point = os.path.dirname(point)
        yield point
print([(point, folder) for point in points for folder in above(point) if not point.startswith("/proc/") and writable(folder)])
print(len(points) > 10)`;
    expect((await runCode(sandbox, 1, code)).stdout).toBe('[]\nTrue\n');
    await provider.destroy(sandbox.handle);
  });
});

describe('the commands of a setup', () => {
  const builds: readonly [string, string][] = [
    ['a link in the place of the kernel', 'ln -s /etc/passwd /run/rlm/build/kernel-3.11.0-00.pyc'],
    ['a second kernel', 'cp /etc/hosts /run/rlm/build/kernel-3.11.0-00.pyc'],
  ];
  it.each(sizedCases(['a link in the place of the kernel'], builds))(
    'cannot have %s copied out',
    async (_, command) => {
      const repository = makeRepository(join(folder.path, `out-${command.length}`), { 'a.txt': 'a\n' });
      const setup = { commands: ['python3 -m venv --without-pip .venv', command], timeout: 60, environment: {} };
      await expect(provider.prepare(sandboxRequest('out', repository, { python: '.venv', setup }))).rejects.toThrow(
        /is not one that the kernel runs on|cannot run the kernel/,
      );
    },
    60_000,
  );
});
