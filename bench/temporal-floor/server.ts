import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from '../../src/config/directories.ts';
import { devServerArguments, FRONTEND_PORT, UI_PORT } from '../../src/temporal/dev-server-arguments.ts';
import { devServerFiles, type DevServerFiles } from '../../src/temporal/dev-server-files.ts';
import { launchDevServer } from '../../src/temporal/dev-server-launcher.ts';
import { prepareSockets } from '../../src/temporal/dev-server-sockets.ts';
import { dial } from '../../src/temporal/dial.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { ensureNamespace } from '../../src/temporal/namespace.ts';
import { childrenOf, cpuTime } from '../overhead/process-usage.ts';
import type { Variant } from './variants.ts';

export interface BenchServer {
  /** `host:port`, for this process. */
  readonly address: string;
  /** As `dial` takes it, for another process. */
  readonly listensOn: string;
  /** CPU seconds it has used so far, with its relay. */
  readonly cpu: () => number;
  stop(): Promise<void>;
}

/** A server of its own for a variant, on a database file in a temporary folder. */
export async function startServer(variant: Variant): Promise<BenchServer> {
  const executable = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const folder = mkdtempSync(join(tmpdir(), 'rlm-bench-'));
  const files = devServerFiles(join(folder, 'temporal.db'));
  mkdirSync(files.folder, { mode: 0o700 });
  const started = variant.direct === true ? direct(variant, executable, folder) : relayed();
  const { child: server } = started;
  await ensureNamespace(started.address, 'default', 20_000);
  const dialed = await dial(started.address);
  return {
    address: dialed.address,
    listensOn: started.address,
    cpu: () => cpuOf(server),
    stop: async () => {
      server.ref();
      server.kill('SIGKILL');
      await Promise.all([once(server, 'exit'), dialed.close()]);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };

  function relayed(): Started {
    const sockets = prepareSockets(files);
    const serverArguments = argumentsOf(variant, files);
    const child = launchDevServer(files, { executable, serverArguments, sockets, environment: variant.env });
    return { child, address: `unix://${sockets.socket}` };
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly address: string;
}

/** On a port of the loopback, where everybody reaches it: to tell what the relay costs. */
function direct(variant: Variant, executable: string, folder: string): Started {
  // Below the range from which the server takes the ports of its inner services.
  const port = 24_000 + Math.floor(Math.random() * 4000);
  const ports = new Map([FRONTEND_PORT, UI_PORT].map((inside, index) => [String(inside), String(port + index)]));
  const given = argumentsOf(variant, devServerFiles(join(folder, 'temporal.db')));
  const env = { PATH: process.env['PATH'] ?? '', ...variant.env };
  const options = { cwd: folder, env, stdio: 'ignore' } as const;
  const child = spawn(
    executable,
    given.map((argument) => ports.get(argument) ?? argument),
    options,
  );
  return { child, address: `127.0.0.1:${port}` };
}

function argumentsOf(variant: Variant, { databaseFile }: DevServerFiles): string[] {
  const given = devServerArguments({ databaseFile, namespace: 'default', sync: 'normal' }, variant.dynamicConfig);
  const shippedPragmas = new Set(
    given.flatMap((argument, index) => (argument === '--sqlite-pragma' ? [index, index + 1] : [])),
  );
  const named = new Map(variant.pragmas.map((pragma) => [pragma.split('=')[0], pragma]));
  return [
    ...given.filter((_, index) => !shippedPragmas.has(index)),
    ...[...named.values()].flatMap((pragma) => ['--sqlite-pragma', pragma]),
  ];
}

function cpuOf({ pid = 0 }: ChildProcess): number {
  return [pid, ...childrenOf(pid).map((child) => child.pid)].reduce((sum, each) => sum + cpuTime(each).own, 0);
}
