import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function downCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('down'))
    .description('stop what runs in the background: workers, and the embedded Temporal server')
    .option('--force', 'stop the server even while other commands use it')
    .action((options: import('../stop.ts').StopOptions) =>
      perform(async () => (await import('../stop.ts')).stop(io, options)),
    );
}
