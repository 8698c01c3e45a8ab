import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function serviceCommand({ io, perform }: CommandContext): Command {
  const install = withTemporal(new Command('install'))
    .description('install and start it; again after an upgrade, or to change its options')
    .option('--print', 'only print the unit')
    .action((options: import('../service.ts').ServiceOptions) =>
      perform(async () => (await import('../service.ts')).installService(io, options)),
    );
  const status = withJson(new Command('status'))
    .description('what is installed, whether it runs (exit code 0, else 1), and where its log is')
    .action((options: import('../options.ts').JsonOption) =>
      perform(async () => (await import('../service.ts')).showService(io, options)),
    );
  const remove = new Command('remove')
    .description('stop and remove it; runs are kept')
    .action(() => perform(async () => (await import('../service.ts')).removeService(io)));
  return new Command('service')
    .description('keep rlm up running as a service of systemd for your user')
    .addCommand(install)
    .addCommand(status)
    .addCommand(remove);
}
