import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function deleteCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('delete'))
    .description(
      'forget runs that have ended: their trajectories, answers and patches, and their workflows in Temporal',
    )
    .argument('<run...>', 'ids of the runs')
    .action((runs: string[], options: import('../options.ts').TemporalOptions) =>
      perform(async () => (await import('../delete-run.ts')).deleteRuns(io, runs, options)),
    );
}
