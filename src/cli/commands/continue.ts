import { Command } from 'commander';
import { withLaunch } from '../options.ts';
import type { CommandContext } from '../command-context.ts';
import { withSettings } from '../settings.ts';

export function continueCommand({ io, perform }: CommandContext): Command {
  return withSettings(withLaunch(new Command('continue')))
    .description('go on after a run that has ended, with another prompt, on its conversation, variables and files')
    .argument('<run>', 'id of the run')
    .requiredOption('-p, --prompt <text>', 'what is to be done now; - reads it from standard input')
    .addHelpText(
      'after',
      `
The new run is called <run>+2, then <run>+3, unless --id names it. Its sandbox is rebuilt from the trajectory, without a
model call. It has the configuration of the other run; a file given with -c counts more.

Example:
  rlm continue todo -p "Now write a test for it"`,
    )
    .action((run: string, options: import('../fork-once.ts').ContinueOptions) =>
      perform(async () => (await import('../fork-once.ts')).continueOnce(io, run, options)),
    );
}
