import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';

export function trustCommand({ io, perform }: CommandContext): Command {
  return new Command('trust')
    .description('vouch for a config.yaml of a folder, so that all of it counts there')
    .argument('[file]', 'the file', 'config.yaml')
    .addHelpText(
      'after',
      `
A config.yaml that was only found in the current folder may set limits and names of models. What decides what runs on
this machine, or what is sent where, counts after this command, for as long as the file stays as it is, and with it
the files that it names: modules with tools and what they import by relative paths, programs, and arguments of MCP
servers. What those files go on to run is trusted with them.`,
    )
    .action((file: string) => perform(async () => (await import('../trust-file.ts')).trustFile(io, file)));
}
