import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParts } from '../../../src/sandbox/daytona/parts.ts';
import { connectKernel } from '../../../src/sandbox/kernel-client.ts';
import { git, makeRepository, shell, temporaryFolder, writeTree, type TestRepository } from '../fixtures.ts';
import { startGitServer, type GitServer } from '../git-server.ts';
import { rigIsHere } from './rig.ts';
import { withTrouble } from './trouble.ts';

const run = promisify(execFile);
const PREPARE = fileURLToPath(new URL('../../../python/rlm_remote/prepare.py', import.meta.url));
const TOKEN = 'token-of-the-tests';

describe('a repository at a URL', () => {
  const folder = temporaryFolder();
  let server: GitServer;
  let repository: TestRepository;
  let url: string;

  beforeAll(async () => {
    repository = makeRepository(`${folder.path}/served/project`, { 'a.py': 'x = 1\n' });
    writeTree(repository.path, { 'a.py': 'x = 2\n' });
    git(repository.path, ['commit', '--quiet', '--all', '--message', 'second']);
    server = await startGitServer(`${folder.path}/served`);
    url = `${server.url}/project`;
  });

  afterAll(async () => {
    await server.close();
    folder.remove();
  });

  /** The commit that branches end at, and the one before it. */
  const commits = (): string[] => git(repository.path, ['rev-list', 'HEAD']).toString().trim().split('\n');

  it('is cloned inside by the program that prepares a machine: the commit alone', async () => {
    const [, first = ''] = commits();
    const home = `${folder.path}/home`;
    const upload = `${folder.path}/upload`;
    mkdirSync(home);
    mkdirSync(upload);
    const { archive } = await readParts(`${folder.path}/cache`);
    writeFileSync(`${upload}/parts.json.gz`, archive);
    const port = await freePort();
    const limits = { generation: 0, idle_timeout: 60, memory_mb: 512 };
    const spec = { ...limits, workspaces: [`${folder.path}/workspace`], url, commit: first };
    writeFileSync(`${upload}/spec.json`, JSON.stringify(spec));
    const prepare = (): Promise<unknown> =>
      run('python3', ['-I', PREPARE, upload, String(port)], {
        env: { PATH: process.env['PATH'], HOME: home },
        timeout: 20_000,
      });
    await prepare();
    const kernel = connectKernel({ url: `http://127.0.0.1:${port}` });
    try {
      const reply = await kernel.process({ argv: ['git', 'log', '--format=%H %s'], cwd: `${folder.path}/workspace` });
      expect(Buffer.from(reply.stdout, 'base64').toString()).toBe(`${first} start\n`);
      expect(readFileSync(`${folder.path}/workspace/a.py`, 'utf8')).toBe('x = 1\n');
      await prepare(); // Another attempt finds the port taken, and leaves all as it is.
      expect(await kernel.info()).toMatchObject({ status: 'new' });
    } finally {
      await fetch(`http://127.0.0.1:${port}/v1/shutdown`, { method: 'POST', body: '{}' });
    }
  });

  describe.runIf(rigIsHere())('whose sandbox reaches no network', () => {
    const trouble = withTrouble();

    it(
      'is fetched by this host instead',
      trouble(async ({ make }) => {
        const [second = ''] = commits();
        const { sandbox } = await make({ repository: { source: { kind: 'url', url }, commit: second } });
        expect(await shell(sandbox, 'cat a.py; git status --porcelain')).toBe('x = 2\n');
        await shell(sandbox, 'echo "y = 3" >> a.py');
        expect(Buffer.from((await sandbox.patch()).bytes).toString()).toContain('+y = 3');
      }),
    );

    it(
      'and is private: the token stays on this host, and with it all history but the commit',
      trouble(async ({ make }) => {
        const [second = ''] = commits();
        server.authorization = `Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`;
        const source = { kind: 'url', url: `${url}/.git`, token: TOKEN } as const;
        const { sandbox } = await make({ repository: { source, commit: second } });
        expect(await shell(sandbox, 'git log --format=%s')).toBe('second\n');
        const secrets = [TOKEN, server.authorization.slice('Basic '.length)].map((secret) => `-e ${secret}`).join(' ');
        expect(await shell(sandbox, `grep -rl ${secrets} "$HOME" /tmp "$PWD" || true`)).toBe('');
        expect(await shell(sandbox, 'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"')).not.toContain(TOKEN);
      }),
    );

    it(
      'and does not have the commit is an error that names it',
      trouble(async ({ provider, request }) => {
        server.authorization = undefined;
        const missing = '1'.repeat(40);
        await expect(
          provider.create(request({ repository: { source: { kind: 'url', url }, commit: missing } })),
        ).rejects.toMatchObject({ type: 'Repository.NotFound', message: expect.stringContaining(missing) });
      }),
    );
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
