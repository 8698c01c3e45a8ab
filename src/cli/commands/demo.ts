import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

export function demoCommand({ io, perform }: CommandContext): Command {
  const command = new Command('demo')
    .description('an example with a scripted model: no key, no cost, everything else real')
    .argument(
      '[name]',
      'todo: many agents look through a repository for TODO comments; monte-cristo: who is how rich in the novel',
      'todo',
    )
    .option('--repo <repo>', 'todo: another repository (default: the source of the local Python)')
    .option('--book <file>', 'monte-cristo: the novel in plain text (default: fetched from Project Gutenberg)')
    .option('-o, --output <file>', 'file for the patch or the picture (default: in the folder of the results)')
    .option('--id <run>', 'name the run; an existing one is attached to and resumed')
    .option('--latency <milliseconds>', 'what the scripted model takes for a reply', '300');
  return withTemporal(withTalk(withJson(withResults(command)))).action(
    (
      name: string,
      options: import('../demo/todo.ts').TodoDemoOptions & import('../demo/monte-cristo.ts').MonteCristoDemoOptions,
    ) =>
      perform(async () => {
        const { CommandError } = await import('../report-error.ts');
        if (name === 'monte-cristo') {
          if (options.repo !== undefined) throw new CommandError('--repo is for rlm demo todo; this one takes --book.');
          return (await import('../demo/monte-cristo.ts')).runMonteCristoDemo(io, options);
        }
        if (name !== 'todo') {
          throw new CommandError(`There is no demo "${name}": there are rlm demo todo and rlm demo monte-cristo.`);
        }
        if (options.book !== undefined) throw new CommandError('--book is for rlm demo monte-cristo.');
        return (await import('../demo/todo.ts')).runTodoDemo(io, options);
      }),
  );
}
