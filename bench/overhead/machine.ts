import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../../src/config/directories.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';

/** Average number of runnable processes above which figures are not worth much. */
const QUIET = 1;

/** Where and with what was measured, a line each. */
export interface Machine {
  readonly facts: readonly string[];
  /** Undefined on a machine that had nothing else to do. */
  readonly warning: string | undefined;
}

/** To be asked before anything is started. */
export async function describeMachine(peers: readonly string[]): Promise<Machine> {
  const [load = 0] = loadavg();
  const temporal = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const processors = cpus();
  const facts = [
    new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ` +
      `${Math.round(totalmem() / 2 ** 30)} GB of memory, Linux ${release()}, load average ${load.toFixed(1)} at the start`,
    `durable-rlm ${ownVersion()}, Node ${process.versions.node}, ${firstLine(temporal, '--version')}, ` +
      `${firstLine('python3', '--version')}, ${firstLine('bwrap', '--version')}`,
    `peers from PyPI: ${peers.length === 0 ? 'none' : peers.join(', ')}`,
  ];
  const warning =
    load > QUIET
      ? `The machine was busy (load average ${load.toFixed(1)} on ${processors.length} cores): only CPU seconds mean anything.`
      : undefined;
  return { facts, warning };
}

function ownVersion(): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { version }: { version: string } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
  const commit = firstLine('git', '-C', root, 'describe', '--always', '--dirty');
  return `${version} (${commit})`;
}

function firstLine(command: string, ...args: readonly string[]): string {
  try {
    const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return output.split('\n')[0]?.trim() ?? '';
  } catch {
    return `no ${command}`;
  }
}
