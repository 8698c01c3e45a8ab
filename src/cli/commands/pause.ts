import { Command } from 'commander';
import { agentOption, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function pauseCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('pause'))
    .description('begin nothing new in a run until it is resumed; its global timeout waits meanwhile')
    .argument('<run>', 'id of the run')
    .addOption(agentOption('pause this agent, with the agents below it, instead of the whole run'))
    .option('--reason <text>', 'shown with the status of the run')
    .action((run: string, options: import('../pause-run.ts').PauseOptions) =>
      perform(async () => (await import('../pause-run.ts')).pauseRun(io, run, options)),
    );
}
