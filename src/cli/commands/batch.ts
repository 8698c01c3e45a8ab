import { Command, InvalidArgumentError, Option } from 'commander';
import { repeated, withJson, withTalk, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function batchCommand({ io, perform }: CommandContext): Command {
  return withWork(withTemporal(withTalk(withJson(new Command('batch')))))
    .description('do a run for each item of a list, so many at once, and report')
    .argument('<items>', 'file with the items: .csv, .jsonl, .json, .yaml')
    .option(
      '--id <batch>',
      'name of the batch: the same name again runs only what has not ended (default: the name of the file)',
    )
    .option('--retry-failed', 'run items again that failed before')
    .option('--report <file>', 'write the report to a file, by its ending .md, .json or .csv; repeatable', repeated)
    .option('-y, --yes', 'do not ask, whatever it may cost')
    .addOption(
      new Option('--ask-above <usd>', 'ask first where it may cost more than this').argParser(dollars).default(5),
    )
    .option('--detach', 'start it, with a worker in the background, and return')
    .option('--no-worker', 'leave the work to workers elsewhere')
    .addHelpText(
      'after',
      `
The file has an item a line or a list of them: .csv with a header, .jsonl, .json, .yaml. In --prompt, --repo, --branch and
-i {{name}} stands for a field of the item. Each item is a run of its own: rlm result <run> shows it. docs/batches.md tells more.

Examples:
  rlm batch files.csv --repo . -p "Review {{path}} for races" -n 20 --max-cost 10 --report review.md
  rlm batch reviews.jsonl -s "text -> sentiment: Literal['good', 'bad']" --report out.csv

Ctrl-C leaves the batch to itself; the same command continues it. rlm cancel <batch> ends it.`,
    )
    .action((file: string, options: import('../batch/batch-once.ts').BatchOptions) =>
      perform(async () => (await import('../batch/batch-once.ts')).batchOnce(io, file, options)),
    );
}

/** What says which runs there are: of a batch, or a schedule. */
export function withWork(command: Command): Command {
  return command
    .option('--repo <repo>', 'URL or folder of the repository, where the items name none')
    .option('-p, --prompt <text>', 'what is to be done for an item, where the items have no prompt')
    .option('-b, --branch <name>', 'branch or tag')
    .option(
      '-s, --signature <text>',
      'analyses instead of runs on a repository: what is given and what is wanted; @file reads it from YAML or JSON',
    )
    .option('--instructions <text>', 'what the signature does not say; @file reads it from a file')
    .option(
      '-i, --input <name=value>',
      'an input of the analyses, such as text=@{{path}}; repeatable (default: the fields of the item by their names)',
      repeated,
    )
    .addOption(new Option('-n, --concurrency <n>', 'runs at once (default: 10)').argParser(whole))
    .addOption(new Option('--max-cost <usd>', 'USD for all items together').argParser(dollars))
    .addOption(new Option('--item-max-cost <usd>', 'USD for each item (rlm.max_cost)').argParser(dollars));
}

function dollars(value: string): number {
  const usd = Number(value);
  if (value.trim() === '' || !Number.isFinite(usd) || usd <= 0)
    throw new InvalidArgumentError('It must be a number above 0, in USD.');
  return usd;
}

function whole(value: string): number {
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1 || count > 500)
    throw new InvalidArgumentError('It must be a whole number from 1 to 500.');
  return count;
}
