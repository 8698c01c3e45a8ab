import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from '../../src/config/directories.ts';
import { devServerArguments, LOOPBACK } from '../../src/temporal/dev-server-arguments.ts';
import { freePort } from '../../src/temporal/dev-server-launcher.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { ensureNamespace } from '../../src/temporal/namespace.ts';
import type { Variant } from './variants.ts';

export interface BenchServer {
  readonly address: string;
  /** CPU seconds it has used so far. */
  readonly cpu: () => number;
  stop(): Promise<void>;
}

/** A server of its own for a variant, on a database file in a temporary folder. */
export async function startServer(variant: Variant): Promise<BenchServer> {
  const executable = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const folder = mkdtempSync(join(tmpdir(), 'rlm-bench-'));
  // Below the range from which the server takes the ports of its inner services.
  const port = await freePort(Array.from({ length: 20 }, () => 24_000 + Math.floor(Math.random() * 8000)));
  const child = spawn(executable, serverArguments(variant, join(folder, 'temporal.db'), port), {
    env: { PATH: process.env['PATH'] ?? '', HOME: homedir(), ...variant.env },
    stdio: 'ignore',
  });
  const address = `${LOOPBACK}:${port}`;
  await ensureNamespace(address, 'default', 20_000);
  return {
    address,
    cpu: () => cpuOf(child),
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function serverArguments(variant: Variant, databaseFile: string, port: number): string[] {
  const settings = { databaseFile, port, uiPort: undefined, namespace: 'default', sync: 'normal' } as const;
  const given = devServerArguments(settings, variant.dynamicConfig);
  const shippedPragmas = new Set(
    given.flatMap((argument, index) => (argument === '--sqlite-pragma' ? [index, index + 1] : [])),
  );
  const named = new Map(variant.pragmas.map((pragma) => [pragma.split('=')[0], pragma]));
  return [
    ...given.filter((_, index) => !shippedPragmas.has(index)),
    ...[...named.values()].flatMap((pragma) => ['--sqlite-pragma', pragma]),
  ];
}

/** User and system time, in seconds, by the process table. */
function cpuOf({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
