import { Command } from 'commander';
import { withJson, withResults, withTalk, withTemporal } from './options.ts';
import type { CommandContext } from './program.ts';

export function demoCommand({ io, perform }: CommandContext): Command {
  const command = new Command('demo')
    .description('an example with a scripted model: no key, no cost, everything else real')
    .argument('[name]', 'todo: many agents look through a repository for TODO comments', 'todo')
    .option('--repo <repo>', 'another repository (default: the source of the local Python)')
    .option('-o, --output <file>', 'file for the patch (default: <run>.patch in the folder of the results)')
    .option('--id <run>', 'name the run; one that exists is attached to and goes on')
    .option('--latency <milliseconds>', 'what the scripted model takes for a reply', '300');
  return withTemporal(withTalk(withJson(withResults(command)))).action(
    (name: string, options: import('./demo/todo.ts').TodoDemoOptions) =>
      perform(async () => {
        if (name !== 'todo') {
          const { CommandError } = await import('./report-error.ts');
          throw new CommandError(`There is no demo "${name}": rlm demo todo is the one there is.`);
        }
        return (await import('./demo/todo.ts')).runTodoDemo(io, options);
      }),
  );
}
