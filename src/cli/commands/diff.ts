import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function diffCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('diff')))
    .description('compare two runs: what they share, their answers, patches, costs and ways')
    .argument('<run>', 'id of a run')
    .argument('<other>', 'id of the other')
    .action((run: string, other: string, options: import('../diff-runs.ts').DiffOptions) =>
      perform(async () => (await import('../diff-runs.ts')).diffRuns(io, run, other, options)),
    );
}
