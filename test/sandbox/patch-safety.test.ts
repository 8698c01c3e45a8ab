import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Sandbox, SandboxRequest } from '../../src/sandbox/provider.ts';
import { applyPatch } from './apply-patch.ts';
import { makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';

/** Waits for the patch's own repository and writes into it, and into the memory of whoever takes the patch. */
const SPY = `import glob, os
open("/tmp/ready", "w").close()
while True:
    for place in glob.glob("/run/rlm/scratch/rlm-patch-*/info"):
        with open("/tmp/saw", "a") as file: file.write(place + "\\n")
        with open(place + "/attributes", "w") as file: file.write("* -diff\\n")
    for place in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if b"\\0patch\\0" in open(place, "rb").read():
                with open("/tmp/saw", "a") as file: file.write(place + "\\n")
                open(place.replace("cmdline", "mem"), "r+b").close()
        except OSError: pass`;

const DEEP = `import os
for place in range(2100):
    os.mkdir("d"); os.chdir("d")
open("bottom", "w").close()`;

describe('taking a patch', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  let provider: LocalProvider;
  let repository: TestRepository;
  let count = 0;

  beforeAll(() => {
    provider = createLocalProvider({ stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` });
    repository = makeRepository(`${folder.path}/repository`, {
      'a.txt': 'one\n',
      '.gitignore': '*.log\n.venv/\n',
    });
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
  });

  const make = async (more: Partial<SandboxRequest> = {}): Promise<Sandbox> => {
    count += 1;
    return provider.connect(await provider.create(sandboxRequest(`safety-${count}`, repository, more)));
  };
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const expected = { 'a.txt': ['100644', 'one\ntwo\n'] };

  it('leaves no process in the sandbox that could write to it', async () => {
    const sandbox = await make();
    await shell(
      sandbox,
      `for each in 1 2 3; do setsid python3 -c ${quoted(SPY)} < /dev/null > /dev/null 2>&1 & done
       until [ -e /tmp/ready ]; do :; done; echo two >> a.txt`,
    );
    expect(applyPatch(folder.path, repository, await sandbox.patch())).toEqual(expected);
    expect(await shell(sandbox, 'ls /tmp/saw 2>&1 || true; pgrep -c python3 || true')).toMatch(/No such file/);
    expect((await sandbox.kernel.info()).restarts).toBe(1);
  });

  it("runs the system's git, not one that the code has put on the PATH", async () => {
    const sandbox = await make({
      python: '.venv',
      setup: { commands: ['python3 -m venv --without-pip .venv'], timeout: 60, environment: {} },
    });
    const own = (await shell(sandbox, 'dirname $(command -v python)')).trim();
    await shell(
      sandbox,
      `printf '#!/bin/sh\\ntouch /tmp/ran\\nexec /usr/bin/git "$@"\\n' > ${own}/git; chmod +x ${own}/git; hash -r
       git --version; rm /tmp/ran; echo two >> a.txt`,
    );
    expect(applyPatch(folder.path, repository, await sandbox.patch())).toEqual(expected);
    expect(await shell(sandbox, 'ls /tmp/ran 2>&1 || true')).toMatch(/No such file/);
  });

  it.each(['.gitignore', '.gitattributes', 'sub/.gitignore', 'sub/.gitattributes'])(
    'does not wait for a pipe called %s',
    async (name) => {
      const sandbox = await make();
      await shell(sandbox, `mkdir sub; rm -f ${name}; mkfifo ${name}; echo two >> a.txt`);
      const patch = await sandbox.patch();
      expect(applyPatch(folder.path, repository, patch)).toEqual(expected);
      expect(patch.notes).toEqual([`${name} is a pipe: left out of the patch`]);
    },
  );

  it('takes what is above a tree that is too deep for git', async () => {
    const sandbox = await make();
    await shell(sandbox, `python3 -c ${quoted(DEEP)}; echo two >> a.txt`);
    const patch = await sandbox.patch();
    expect(applyPatch(folder.path, repository, patch)).toEqual(expected);
    expect(patch.notes).toContainEqual(
      expect.stringMatching(/^d\/d\/.*\.\.\..*\/d\/ cannot be read \(File name too long\)/),
    );
  });

  it('leaves out names that a file system may take for .git', async () => {
    const sandbox = await make();
    await shell(
      sandbox,
      String.raw`mkdir 'git~1' .GIT sub; touch 'git~1/config' .GIT/config $'.g\xe2\x80\x8cit' 'sub/.git. ' '..\x' '.git\x'; echo two >> a.txt`,
    );
    const patch = await sandbox.patch();
    expect(applyPatch(folder.path, repository, patch)).toEqual(expected);
    for (const name of ['git~1', '.g.*it', 'sub/.git. ', String.raw`\.\.\\+x`, String.raw`\.git\\+x`]) {
      expect(patch.notes).toContainEqual(expect.stringMatching(name));
    }
  });
});
