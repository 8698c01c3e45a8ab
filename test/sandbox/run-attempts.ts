import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { arch } from 'node:process';
import { fileURLToPath } from 'node:url';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { ATTEMPTS, CALLS, RUNNER, type Bait } from './attempts.ts';
import { makeRepository, sandboxRequest } from './fixtures.ts';

export interface AttemptResult {
  readonly name: string;
  readonly blocked: boolean;
  readonly what: string;
}

const MACHINE = arch === 'x64' ? 'x86_64' : 'aarch64';
const WORD = 'the-word-of-the-host';

/** Makes a sandbox below `folder` as the current user, and tries everything from inside. */
export async function runAttempts(folder: string): Promise<AttemptResult[]> {
  const directories = { stateDirectory: `${folder}/state`, cacheDirectory: `${folder}/cache` };
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/secret`, WORD, { mode: 0o644 });
  process.env['RLM_TEST_SECRET'] = WORD;
  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const abstract = createServer().listen({ path: `\0${WORD}-${process.pid}` });
  await once(abstract, 'listening');
  const victim = spawn(process.execPath, ['-e', 'process.stdin.resume()', WORD], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const provider = createLocalProvider(directories);
  try {
    const address = tcp.address();
    const bait: Bait = {
      file: `${folder}/secret`,
      word: WORD,
      port: typeof address === 'object' && address !== null ? address.port : 0,
      socket: `${WORD}-${process.pid}`,
      pid: victim.pid ?? 0,
      stateDirectory: directories.stateDirectory,
    };
    const repository = makeRepository(`${folder}/repository`, { 'a.txt': 'a\n' });
    const handle = await provider.create(sandboxRequest('attempts', repository));
    const sandbox = await provider.connect(handle);
    const attempts = ATTEMPTS.filter(({ machine }) => machine === undefined || machine === MACHINE);
    const reply = await sandbox.kernel.process({
      argv: ['python3', '-c', RUNNER],
      stdin: Buffer.from(JSON.stringify({ bait, calls: CALLS, attempts })).toString('base64'),
      timeout: 60,
    });
    if (reply.code !== 0) throw new Error(Buffer.from(reply.stderr, 'base64').toString());
    const answers: [boolean, string][] = JSON.parse(Buffer.from(reply.stdout, 'base64').toString());
    const results = answers.map(([blocked, what], place) => ({ name: attempts[place]?.name ?? '', blocked, what }));
    results.push({
      name: 'the process of the host lives',
      blocked: victim.exitCode === null && victim.signalCode === null,
      what: '',
    });
    results.push({ name: 'so does the sandbox', blocked: (await sandbox.kernel.info()).restarts === 0, what: '' });
    await provider.destroy(handle);
    return results;
  } finally {
    victim.kill('SIGKILL');
    tcp.close();
    abstract.close();
    await provider.close();
  }
}

// As a program, for another user: prints the results.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await runAttempts(process.argv[2] ?? '')));
}
