import { Command } from 'commander';
import { withTalk, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function cancelCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withTalk(new Command('cancel')))
    .description('end a run; what it has so far is kept')
    .argument('<run>', 'id of the run')
    .option('--discard', 'end it at once, without its patch and answer so far')
    .action((run: string, options: import('../options.ts').AttachOptions & { readonly discard?: boolean }) =>
      perform(async () => (await import('../cancel-run.ts')).cancelRun(io, run, options)),
    );
}
