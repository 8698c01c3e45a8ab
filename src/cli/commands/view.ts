import { Command, InvalidArgumentError, Option } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function viewCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('view'))
    .description('open a page in the browser that shows what every agent did, does now, and cost; until Ctrl-C')
    .argument('[run]', 'id of a run, or a results file or a folder of them (default: all runs)')
    .addOption(
      new Option('--port <port>', 'port of 127.0.0.1 to serve it on (default: any that is free)').argParser(port),
    )
    .option('--no-open', 'print the link and open no browser')
    .addHelpText(
      'after',
      `
The page is for you alone: it takes the printed link to open it, and asks no other host for anything.
rlm export <run> --html writes a run as one file that opens without this command.`,
    )
    .action((run: string | undefined, options: import('../view-runs.ts').ViewOptions) =>
      perform(async () => (await import('../view-runs.ts')).viewRuns(io, run, options)),
    );
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1 || number > 65_535)
    throw new InvalidArgumentError('It must be a port: 1 to 65535.');
  return number;
}
