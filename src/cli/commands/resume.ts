import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal, withTools } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function resumeCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(withJson(withResults(withTools(new Command('resume'))))))
    .description('resume a run that is paused, or suspended because no worker is running')
    .argument('<run>', 'id of the run')
    .option('-o, --output <file>', 'write the patch, or the fields of an analysis, to a file')
    .addHelpText(
      'after',
      '\nWhere no worker is at work on the run, this command works on it and shows how it goes, as rlm run does.',
    )
    .action((run: string, options: import('../control.ts').AttachOptions) =>
      perform(async () => (await import('../control.ts')).resume(io, run, options)),
    );
}
