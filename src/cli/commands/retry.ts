import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal, withTools } from '../options.ts';
import { withSettings } from '../settings.ts';
import type { CommandContext } from '../command-context.ts';

export function retryCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(withJson(withResults(withTools(withSettings(new Command('retry')))))))
    .description('run one that failed, timed out or was cancelled again, where it ended; what was paid for is kept')
    .argument('<run>', 'id of the run')
    .option('-o, --output <file>', 'write the patch, or the fields of an analysis, to a file')
    .addHelpText('after', '\nThe configuration of now counts, and the run gets its global timeout again.')
    .action((run: string, options: import('../retry-run.ts').RetryOptions) =>
      perform(async () => (await import('../retry-run.ts')).retryEnded(io, run, options)),
    );
}
