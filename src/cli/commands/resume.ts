import { Command, Option } from 'commander';
import { agentOption, withJson, withResults, withTalk, withTemporal, withTools } from '../options.ts';
import { seconds } from '../settings.ts';
import type { CommandContext } from '../command-context.ts';

export function resumeCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(withJson(withResults(withTools(new Command('resume'))))))
    .description('resume a run that is paused, or suspended because no worker is running')
    .argument('<run>', 'id of the run')
    .addOption(
      new Option('--more-time <seconds>', 'time that the run gets beside its own, also after it timed out').argParser(
        seconds,
      ),
    )
    .addOption(agentOption('resume this agent only'))
    .option('-o, --output <file>', 'write the patch, or the fields of an analysis, to a file')
    .addHelpText(
      'after',
      '\nWhere no worker is at work on the run, this command works on it and shows how it goes, as rlm run does.\nWhat the configuration says otherwise than at the start counts from now on: model.* and the limits.',
    )
    .action((run: string, options: import('../resume-run.ts').ResumeOptions) =>
      perform(async () => (await import('../resume-run.ts')).resumeRun(io, run, options)),
    );
}
