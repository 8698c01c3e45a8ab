import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function watchCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(withJson(withResults(new Command('watch')))))
    .description('follow a run until it ends; Ctrl-C stops watching, not the run')
    .argument('<run>', 'id of the run')
    .action((run: string, options: import('../options.ts').AttachOptions) =>
      perform(async () => (await import('../watch-command.ts')).watch(io, run, options)),
    );
}
