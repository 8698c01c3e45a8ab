import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function findingsCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('findings')))
    .description(
      'what a run, or the runs of a batch, found that is new, changed, gone or still open since the run before (rlm.findings)',
    )
    .argument('<run>', 'id of the run, or of a batch')
    .option('--all', 'list those that are still open too')
    .option('--quiet-if-unchanged', 'print nothing where nothing is new, changed or gone')
    .action((run: string, options: import('../show-findings.ts').FindingsOptions) =>
      perform(async () => (await import('../show-findings.ts')).showFindings(io, run, options)),
    );
}
