import { Command, InvalidArgumentError, Option } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function cleanCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('clean')))
    .description('show what was left behind, and delete it with --yes')
    .option(
      '--yes',
      'delete: sandboxes whose agent no longer runs, abandoned temporary folders, and what is asked for below',
    )
    .option('--caches', 'also what was not used for the time of --unused-for: repositories, checkouts, setups, kernels')
    .addOption(
      new Option('--unused-for <age>', 'when a cache counts as old: 30d, 12h, 90m')
        .argParser(age)
        .default(30 * 24 * 3_600_000, '30d'),
    )
    .option('--blobs', 'also blobs that no run refers to and that are older than a day; --older-than includes it')
    .addOption(
      new Option(
        '--older-than <age>',
        'also runs that ended so long ago: all that is known of them, their results files, and blobs that no other run refers to',
      ).argParser(age),
    )
    .option('--all-servers', 'with --older-than: also runs of other Temporal servers or namespaces that have ended')
    .option('--results <folder>', 'where their results files are', 'results')
    .action((options: import('../clean/clean-up.ts').CleanOptions) =>
      perform(async () => (await import('../clean/clean-up.ts')).cleanUp(io, options)),
    );
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds. */
function age(value: string): number {
  const [, number, unit = ''] = /^(\d+)([mhd])$/.exec(value) ?? [];
  if (number === undefined) throw new InvalidArgumentError('It must be a number and m, h or d: 90m, 12h, 30d.');
  return Number(number) * (UNITS[unit] ?? 0);
}
