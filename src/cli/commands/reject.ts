import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function rejectCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('reject'))
    .description('refuse agents what they ask for (rlm.approve)')
    .argument('<run>', 'id of the run')
    .argument('[question]', 'id of one question (default: all that is asked now)')
    .option('--reason <text>', 'why: the code of the agent gets it')
    .action((run: string, question: string | undefined, options: import('../steer.ts').DecisionOptions) =>
      perform(async () => (await import('../steer.ts')).decide(io, 'reject', { run, question }, options)),
    );
}
