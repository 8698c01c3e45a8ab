import { Command } from 'commander';
import { withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function doctorCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withJson(new Command('doctor')))
    .description('look at everything a run needs, and say what to do about what is missing')
    .action((options: import('../examine.ts').ExamineOptions) =>
      perform(async () => (await import('../examine.ts')).examine(io, options)),
    );
}
