import { Command, InvalidArgumentError, Option } from 'commander';
import { withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function budgetCommand({ io, perform }: CommandContext): Command {
  return withTemporal(new Command('budget'))
    .description('change what a run may spend while it runs or is paused')
    .argument('<run>', 'id of the run')
    .addOption(new Option('--max-cost <usd>', 'USD over the whole tree (rlm.max_cost)').argParser(dollars))
    .addOption(new Option('--max-sandboxes <n>', 'sandboxes over its lifetime (rlm.max_sandboxes)').argParser(whole))
    .addOption(
      new Option('--max-llm-calls <n>', 'llm_query calls over the whole tree (rlm.max_llm_calls)').argParser(whole),
    )
    .addHelpText('after', '\nResume a run that paused because rlm.max_cost was used up with rlm resume after this.')
    .action((run: string, options: import('../control.ts').BudgetOptions) =>
      perform(async () => (await import('../control.ts')).budget(io, run, options)),
    );
}

function dollars(value: string): number {
  const usd = Number(value);
  if (value.trim() === '' || !Number.isFinite(usd) || usd <= 0)
    throw new InvalidArgumentError('It must be a number above 0, in USD.');
  return usd;
}

function whole(value: string): number {
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return count;
}
