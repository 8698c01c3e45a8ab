import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function approveCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('approve'))
    .description('let agents do what they ask for (rlm.approve)')
    .argument('<run>', 'id of the run')
    .argument('[question]', 'id of one question (default: all that is asked now)')
    .option('--show', 'show what is asked, with the whole call or patch, and answer nothing')
    .action((run: string, question: string | undefined, options: import('../steer.ts').DecisionOptions) =>
      perform(async () => (await import('../steer.ts')).decide(io, 'approve', { run, question }, options)),
    );
}
