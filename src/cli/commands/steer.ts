import { Command } from 'commander';
import { agentOption, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function steerCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('steer'))
    .description('tell an agent something, which its model sees at its next iteration')
    .argument('<run>', 'id of the run')
    .argument('<message>', 'what it is to know or to do; - reads it from standard input')
    .addOption(agentOption('whom it is for (default: the root agent, 0)'))
    .addHelpText('after', '\nThe message is kept in the trajectory of the agent: rlm result and forks show it.')
    .action((run: string, message: string, options: import('../steer.ts').SteerOptions) =>
      perform(async () => (await import('../steer.ts')).steer(io, run, message, options)),
    );
}
