import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import type { Io } from '../../src/cli/io.ts';
import { runProgram } from '../../src/cli/program.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import type { Desk, Finished } from '../e2e/command.ts';
import { testCacheDirectory } from '../temporal/fixtures.ts';

/**
 * The command in this process, as `main.ts` calls it: starting one, with all that it loads, takes most of a command's time.
 * What is about the process itself (signals, kills, what runs in the background) needs `desk.run` and `desk.start`.
 */
export async function runHere(
  desk: Pick<Desk, 'folder' | 'env'>,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  { isTTY = false }: { readonly isTTY?: boolean } = {},
): Promise<Finished> {
  // Where the server's program is found.
  process.env['PATH'] = desk.env['PATH'];
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY }), new PassThrough()];
  const written = Promise.all([buffer(stdout), text(stderr)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what commands use of a stream, these have
  const streams = { stdin: process.stdin, stdout, stderr } as unknown as Pick<Io, 'stdin' | 'stdout' | 'stderr'>;
  const code = await runProgram(args, { ...streams, env: { ...desk.env, ...env }, cwd: desk.folder });
  stdout.end();
  stderr.end();
  const [out, error] = await written;
  return { code, stdout: out, stderr: error };
}

/** The desk's server, which the commands then need not start and stop one by one. */
export function keepServer({ state }: Pick<Desk, 'state'>): Promise<DevServer> {
  return startOrAttachDevServer({ stateDirectory: state, cacheDirectory: testCacheDirectory(), restart: false });
}
