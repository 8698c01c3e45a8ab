import { Command, Option } from 'commander';
import { hidden, withTalk, withTemporal, withTools } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function upCommand({ io, perform }: CommandContext): Command {
  const command = new Command('up')
    .description('run the Temporal server, where none is configured, and a worker, until Ctrl-C')
    .addOption(new Option('--detach', 'in the background; rlm down stops them').conflicts('ui'))
    .option('--ui', "serve the embedded server's web interface; anyone with the printed link can open it");
  return withTemporal(withTalk(withTools(command)))
    .addOption(hidden('--in-background'))
    .action((options: import('../serve.ts').ServeOptions) =>
      perform(async () => (await import('../serve.ts')).serve(io, options)),
    );
}
