import { Command } from 'commander';
import { withJson, withResults, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function resultCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(withResults(new Command('result'))))
    .description("print a run's answer and write its results files")
    .argument('<run>', 'id of the run')
    .option('-o, --output <file>', 'write the answer, or the fields of an analysis, to a file')
    .action((run: string, options: import('../look.ts').LookOptions) =>
      perform(async () => (await import('../look.ts')).showResult(io, run, options)),
    );
}
