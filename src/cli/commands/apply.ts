import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function applyCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('apply'))
    .description("apply a run's patch to a working tree: all of it, or nothing where it does not fit")
    .argument('<run>', 'id of the run')
    .argument('[folder]', 'a folder of the working tree', '.')
    .option('--check', 'only say whether it would apply')
    .action((run: string, folder: string, options: import('../apply-patch.ts').ApplyOptions) =>
      perform(async () => (await import('../apply-patch.ts')).applyPatch(io, run, folder, options)),
    );
}
