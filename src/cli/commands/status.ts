import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function statusCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('status')))
    .description('how a run stands, with its tree of agents')
    .argument('<run>', 'id of the run')
    .action((run: string, options: import('../look.ts').LookOptions) =>
      perform(async () => (await import('../look.ts')).showStatus(io, run, options)),
    );
}
