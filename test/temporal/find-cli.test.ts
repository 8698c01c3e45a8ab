import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import { delimiter, join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findTemporalCli, locateTemporalCli } from '../../src/temporal/find-cli.ts';
import { temporaryFolder } from './fixtures.ts';

const USABLE = '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"\n';
const OLD = '#!/bin/sh\necho "temporal version 0.10.0 (Server 1.22.0, UI 2.20.0)"\n';

describe('a CLI that is already here', () => {
  test('on PATH', async () => {
    const folder = folderWith({ temporal: USABLE });
    const cli = await locateTemporalCli({ cacheDirectory: temporaryFolder(), env: environment(folder) });
    expect(cli).toEqual({ path: join(folder, 'temporal'), serverVersion: '1.29.1' });
  });

  test('not where PATH names a folder by a relative path, which anybody’s may be', async () => {
    const folder = relative(process.cwd(), folderWith({ temporal: USABLE }));
    const cli = await locateTemporalCli({ cacheDirectory: temporaryFolder(), env: environment(folder) });
    expect(cli).toBeUndefined();
  });

  test('where the installer of Temporal puts it', async () => {
    const home = temporaryFolder();
    mkdirSync(join(home, '.temporalio', 'bin'), { recursive: true });
    writeProgram(join(home, '.temporalio', 'bin', 'temporal'), USABLE);
    const cli = await locateTemporalCli({ cacheDirectory: temporaryFolder(), env: { ...environment(), HOME: home } });
    expect(cli?.path).toBe(join(home, '.temporalio', 'bin', 'temporal'));
  });

  test('one that is too old, or something else of that name, is passed over and named', async () => {
    const said: string[] = [];
    const folders = [folderWith({ temporal: OLD }), folderWith({ temporal: '#!/bin/sh\nexit 1\n' })];
    const good = folderWith({ temporal: USABLE });
    const env = environment(...folders, good);
    const cli = await locateTemporalCli({ cacheDirectory: temporaryFolder(), env, log: (line) => said.push(line) });
    expect(cli?.path).toBe(join(good, 'temporal'));
    expect(said).toHaveLength(2);
    expect(said[0]).toContain(`${folders[0]}/temporal is not used`);
  });
});

describe('one that has to be installed', () => {
  test('is downloaded once into the cache', async () => {
    let downloads = 0;
    const url = await serve((_request, response) => {
      downloads++;
      response.end(archiveOf(USABLE));
    });
    const options = { cacheDirectory: temporaryFolder(), env: environment(), install: { downloadUrl: url } };
    const path = await findTemporalCli(options);
    expect(path).toBe(join(options.cacheDirectory, 'bin', 'temporal'));
    expect(await findTemporalCli(options)).toBe(path);
    expect(downloads).toBe(1);
  });

  test('a download that gets no answer gives up, and Go builds it', async () => {
    const said: string[] = [];
    const url = await serve(() => undefined);
    const calls = join(temporaryFolder(), 'calls');
    const go = folderWith({ go: fakeGo(calls) });
    const cacheDirectory = temporaryFolder();
    const path = await findTemporalCli({
      cacheDirectory,
      env: environment(go),
      install: { downloadUrl: url, patience: 100 },
      log: (line) => said.push(line),
    });
    expect(path).toBe(join(cacheDirectory, 'bin', 'temporal'));
    expect(readFileSync(calls, 'utf8')).toMatch(/^install .*github.com\/temporalio\/cli\/cmd\/temporal@v1.5.1\n$/);
    expect(said.map((line) => line.split(' ')[0])).toEqual(['Downloading', 'Building']);
  });

  test('a download that stops in the middle gives up', async () => {
    const url = await serve((_request, response) => void response.write(archiveOf(USABLE).subarray(0, 40)));
    const find = findTemporalCli({
      cacheDirectory: temporaryFolder(),
      env: environment(),
      install: { downloadUrl: url, patience: 100 },
    });
    await expect(find).rejects.toThrow(/nothing came for 0.1 s/);
  });

  test('two that need it at the same time build it once', async () => {
    const calls = join(temporaryFolder(), 'calls');
    const options = {
      cacheDirectory: temporaryFolder(),
      env: environment(folderWith({ go: fakeGo(calls) })),
      install: { downloadUrl: await serve((_request, response) => response.writeHead(404).end()) },
    };
    const [first, second] = await Promise.all([findTemporalCli(options), findTemporalCli(options)]);
    expect(first).toBe(second);
    expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  test('where nothing helps, the error names the commands to type and leaves nothing behind', async () => {
    const cacheDirectory = temporaryFolder();
    const url = await serve((_request, response) => response.writeHead(503).end());
    const failing = folderWith({ go: '#!/bin/sh\necho "go: no network" >&2\nexit 1\n' });
    const said: string[] = [];
    const find = (env: NodeJS.ProcessEnv): Promise<string> =>
      findTemporalCli({ cacheDirectory, env, install: { downloadUrl: url }, log: (line) => said.push(line) });
    await expect(find(environment())).rejects.toThrow(
      /it answered 503; Go is not installed[^]*go install github.com\/temporalio\/cli\/cmd\/temporal@v1.5.1/,
    );
    expect(said.join('\n')).not.toContain('Building');
    await expect(find(environment(failing))).rejects.toThrow(/go install failed: go: no network/);
    expect(said.join('\n')).toContain('Building');
    expect(readdirSync(join(cacheDirectory, 'bin'))).toEqual([]);
  });
});

/** A PATH of these folders and a home without anything; the system's own programs (tar, sh) stay. */
function environment(...folders: string[]): NodeJS.ProcessEnv {
  const system = folderWith({});
  for (const name of ['sh', 'tar', 'gzip', 'cat', 'chmod']) {
    const found = ['/bin', '/usr/bin'].map((folder) => join(folder, name)).find(existsSync);
    writeProgram(join(system, name), `#!/bin/sh\nexec ${found} "$@"\n`);
  }
  return { PATH: [...folders, system].join(delimiter), HOME: temporaryFolder() };
}

/** Takes down what it was asked and puts a usable CLI where it was told. */
function fakeGo(calls: string): string {
  return `#!/bin/sh\necho "$@" >> ${calls}\ncat > "$GOBIN/temporal" <<'END'\n${USABLE}END\nchmod +x "$GOBIN/temporal"\n`;
}

function folderWith(programs: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(programs)) writeProgram(join(folder, name), text);
  return folder;
}

function writeProgram(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

function archiveOf(program: string): Buffer {
  const folder = folderWith({ temporal: program, LICENSE: 'words' });
  return execFileSync('tar', ['-czf', '-', '-C', folder, 'temporal', 'LICENSE']);
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/cli`;
}
