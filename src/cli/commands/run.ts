import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal } from '../options.ts';
import { withSettings } from '../settings.ts';
import type { CommandContext } from '../command-context.ts';

export function runCommand({ io, perform }: CommandContext): Command {
  const command = new Command('run')
    .description('let agents work on a git repository; prints the patch')
    .argument('<repo>', 'URL of a git repository, or a folder of this machine')
    .requiredOption('-p, --prompt <text>', 'what is to be done; - reads it from standard input')
    .option('-b, --branch <name>', 'branch or tag (default: what the repository has checked out)')
    .option('--commit <sha>', 'commit, at least 7 digits')
    .option('-o, --output <file>', 'write the patch to a file and print the answer')
    .option('--id <run>', 'name the run; an existing run with the same arguments is attached to and resumed')
    .option('--detach', 'start the run, with a worker in the background, and return')
    .option('--trace-file <file>', 'add OpenTelemetry traces to a file, as lines of OTLP/JSON')
    .option('--record <file>', 'keep every exchange with models in a file')
    .option('--replay <file>', 'have the answers of models from such a file: no model is asked, nothing is paid')
    .option('--no-worker', 'leave the work to workers elsewhere');
  return withTemporal(withTalk(withSettings(withJson(withResults(command)))))
    .addHelpText(
      'after',
      `
Examples:
  rlm run . -p "Find the easiest TODO and resolve it" -o easiest.patch
  rlm run https://github.com/scikit-learn/scikit-learn -p "Investigate TODO comments" --id todo

Ctrl-C leaves the run to itself, a second one cancels it. The same command with the same --id attaches again,
and resumes a run that was interrupted or paused.`,
    )
    .action((repo: string, options: import('../run-once.ts').RunOptions) =>
      perform(async () => (await import('../run-once.ts')).runOnce(io, { repo, ...options })),
    );
}
