import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function patchCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('patch'))
    .description("print a run's patch, for git apply")
    .argument('<run>', 'id of the run')
    .argument('[agent]', 'id of a sub-agent, such as 0.1, for what it changed in its own clone')
    .option('-o, --output <file>', 'write it to a file')
    .action((run: string, agent: string | undefined, options: import('../look.ts').LookOptions) =>
      perform(async () => {
        if (agent === undefined) return (await import('../look.ts')).showPatch(io, run, options);
        return (await import('../show-agent.ts')).showAgentPatch(io, run, agent, options);
      }),
    );
}
