import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function patchCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('patch'))
    .description("print a run's patch, for git apply")
    .argument('<run>', 'id of the run')
    .option('-o, --output <file>', 'write it to a file')
    .action((run: string, options: import('../look.ts').LookOptions) =>
      perform(async () => (await import('../look.ts')).showPatch(io, run, options)),
    );
}
