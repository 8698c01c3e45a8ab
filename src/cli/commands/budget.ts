import { Command } from 'commander';
import { withTemporal } from '../options.ts';
import { withLimits } from '../settings.ts';
import type { CommandContext } from '../command-context.ts';

export function budgetCommand({ io, perform }: CommandContext): Command {
  return withTemporal(withLimits(new Command('budget')))
    .description('change what a run may spend, and how long it may take, while it is open')
    .argument('<run>', 'id of the run')
    .addHelpText('after', '\nResume a run that paused because rlm.max_cost was used up with rlm resume after this.')
    .action((run: string, options: import('../set-budget.ts').BudgetOptions) =>
      perform(async () => (await import('../set-budget.ts')).setBudget(io, run, options)),
    );
}
