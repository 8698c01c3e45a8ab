import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function showCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('show')))
    .description('print what an agent thought, wrote, asked and saw, as Markdown')
    .argument('<run>', 'id of the run')
    .argument('[agent]', 'id of the agent, such as 0.1 (default: 0, the root); rlm status lists them')
    .action((run: string, agent: string | undefined, options: import('../show-agent.ts').ShowOptions) =>
      perform(async () => (await import('../show-agent.ts')).showAgent(io, run, agent, options)),
    );
}
