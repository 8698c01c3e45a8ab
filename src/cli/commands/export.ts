import { Command, Option } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function exportCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('export'))
    .description('write a run as one file: a page that opens from disk, or JSON')
    .argument('<run>', 'id of the run, or a results file')
    .addOption(new Option('--html', 'the page of rlm view, with all that the run did').conflicts('json'))
    .option('--json', 'the results, as results/<run>.detail.json has them')
    .option(
      '-o, --output <file>',
      'where to; .html and .json say what, too (default: <run>.html or <run>.json in the current folder)',
    )
    .addOption(
      new Option(
        '--redact',
        'leave every text out: prompts, code, output, answers, the patch; what stays is the tree, times and costs',
      ).implies({ html: true }),
    )
    .addHelpText('after', '\nThe file of --html runs no code but its own and loads nothing: it can be sent to others.')
    .action((run: string, options: import('../export-run.ts').ExportOptions) =>
      perform(async () => (await import('../export-run.ts')).exportRun(io, run, options)),
    );
}
