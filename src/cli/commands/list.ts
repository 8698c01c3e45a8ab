import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function listCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('list')))
    .description('runs, newest first')
    .option('-n, --limit <number>', 'show at most so many', '20')
    .action((options: import('../show-list.ts').ListOptions) =>
      perform(async () => (await import('../show-list.ts')).showList(io, options)),
    );
}
