import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type {
  RepositorySource,
  Sandbox,
  SandboxLabels,
  SandboxProvider,
  SandboxRequest,
} from '../../src/sandbox/provider.ts';
import { launchSpec } from '../../src/sandbox/local/launch-spec.ts';
import type { LaunchSpec } from '../../src/sandbox/local/launcher.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';

export const LABELS: SandboxLabels = {
  cluster: 'test-cluster',
  namespace: 'default',
  run: 'run',
  execution: 'execution',
  agent: '0',
};

/** A folder of the test's own; removed by `remove`, also when a sandbox's uid owns parts of it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'rlm-sandbox-test-')));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

const IDENTITY = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];

/** Runs git as a test's own tool, without anybody's configuration. */
export function git(cwd: string, arguments_: readonly string[], input?: Buffer): Buffer {
  return execFileSync('git', [...IDENTITY, '-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0', ...arguments_], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
    ...(input === undefined ? {} : { input }),
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_DATE: '2024-01-01T00:00:00Z',
      GIT_COMMITTER_DATE: '2024-01-01T00:00:00Z',
    },
  });
}

export type FileContent = string | Uint8Array | { readonly executable: string } | { readonly link: string };

/** Names are given as Latin-1 text, one character a byte, so that any name can be written. */
export function writeTree(folder: string, files: Readonly<Record<string, FileContent>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')]);
    mkdirSync(Buffer.from(dirname(path.toString('latin1')), 'latin1'), { recursive: true });
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(path, content);
    else if ('link' in content) symlinkSync(content.link, path);
    else {
      writeFileSync(path, content.executable);
      chmodSync(path, 0o755);
    }
  }
}

export interface TestRepository {
  readonly path: string;
  readonly commit: string;
  readonly source: RepositorySource;
}

/** A repository with one commit of these files, exactly as they are. */
export function makeRepository(folder: string, files: Readonly<Record<string, FileContent>>): TestRepository {
  mkdirSync(folder, { recursive: true });
  git(folder, ['init', '--quiet', '--initial-branch=main']);
  // The very bytes, whatever the attributes among the files say.
  writeTree(folder, { '.git/info/attributes': '* -text -ident -filter -working-tree-encoding\n' });
  writeTree(folder, files);
  git(folder, ['add', '--all', '--force']);
  git(folder, ['commit', '--quiet', '--allow-empty', '--message', 'start']);
  return repositoryAt(folder);
}

/** The repository's HEAD, as a run would get it. */
export function repositoryAt(path: string): TestRepository {
  const commit = git(path, ['rev-parse', 'HEAD']).toString().trim();
  const id = createHash('sha256').update(`${path}\0${commit}`).digest('hex');
  return {
    path,
    commit,
    source: { kind: 'bundle', id, open: async () => (await bundleRepository({ path, commit })).stream },
  };
}

export function sandboxRequest(
  name: string,
  repository: TestRepository | undefined,
  more: Partial<SandboxRequest> = {},
): SandboxRequest {
  return {
    name,
    generation: 0,
    labels: LABELS,
    ...(repository === undefined ? {} : { repository: { source: repository.source, commit: repository.commit } }),
    isolation: 'bubblewrap',
    memory_mb: 512,
    idle_timeout: 120,
    ...more,
  };
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command inside, as the code there would. */
export async function runInside(sandbox: Sandbox, argv: readonly string[]): Promise<Ended> {
  const reply = await sandbox.kernel.process({ argv, cwd: sandbox.workspace, timeout: 60 });
  return {
    code: reply.code,
    stdout: Buffer.from(reply.stdout, 'base64').toString('latin1'),
    stderr: Buffer.from(reply.stderr, 'base64').toString('latin1'),
  };
}

/** Runs a shell script inside that must succeed; gives back what it printed. */
export async function shell(sandbox: Sandbox, script: string): Promise<string> {
  const ended = await runInside(sandbox, ['bash', '-euc', script]);
  if (ended.code !== 0) throw new Error(`exit code ${ended.code}: ${ended.stderr}${ended.stdout}`);
  return ended.stdout;
}

/** A new sandbox whose kernel has taken a setup in. */
export async function makeReady(provider: SandboxProvider, request: SandboxRequest): Promise<Sandbox> {
  const sandbox = await provider.connect(await provider.create(request));
  await sandbox.kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: sandbox.workspace });
  return sandbox;
}

/** Runs a block to its end; it makes no calls. */
export async function runCode(
  { kernel }: Sandbox,
  block: number,
  code: string,
): Promise<{ readonly stdout: string; readonly stderr: string; readonly ms: number }> {
  const began = performance.now();
  await kernel.exec({ generation: 0, block, head: `${block}`, code, timeout: 60, output_limit: 10_000 });
  for (let after = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each poll continues the one before
    const reply = await kernel.events({ block, after, waitMs: 20_000 });
    after = reply.cursor;
    const last = reply.events.at(-1);
    if (last?.type !== 'done') continue;
    const { stdout, stderr, error } = last.result;
    return { stdout, stderr: stderr + (error ?? ''), ms: performance.now() - began };
  }
}

/** A job that sleeps for so many seconds. @param python path of the interpreter */
export function sleepingJob(python: string, seconds: string): LaunchSpec {
  return launchSpec({
    bwrap: '/usr/bin/bwrap',
    interpreter: { path: python, prefixes: ['/usr'] },
    folder: null,
    workspace: { kind: 'empty' },
    memory_mb: 256,
    argv: ['/bin/sleep', seconds],
  });
}
