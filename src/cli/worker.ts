import { Command } from 'commander';
import { withTalk, withTemporal } from './options.ts';
import type { CommandContext } from './program.ts';

export function workerCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(new Command('worker')))
    .description('run a worker for a Temporal server that runs already, until Ctrl-C')
    .action((options: import('./serve.ts').ServeOptions) =>
      perform(async () => (await import('./serve.ts')).serve(io, { ...options, server: false })),
    );
}
