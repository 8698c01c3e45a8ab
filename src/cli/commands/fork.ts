import { Command, InvalidArgumentError, Option } from 'commander';
import { agentOption, withLaunch } from '../options.ts';
import type { CommandContext } from '../command-context.ts';
import { withSettings } from '../settings.ts';

export function forkCommand({ io, perform }: CommandContext): Command {
  return withSettings(withLaunch(new Command('fork')))
    .description('start a run that shares the work of another up to an iteration, without a model call')
    .argument('<run>', 'id of the run; it may still be at work')
    .addOption(
      new Option(
        '--at <iteration>',
        'the last iteration that is shared; 0 shares the task only (default: the last one)',
      ).argParser(iteration),
    )
    .addOption(agentOption('the agent whose work it is; it becomes the root of the new run (default: 0)'))
    .option('-p, --prompt <text>', 'what the model is told there; - reads it from standard input')
    .addHelpText(
      'after',
      `
The new run is called <run>-at-<iteration>+2 unless --id names it. Variables, files and the state of git are those of the
other run at that point. It has the configuration of the other run; a file given with -c counts more.

Examples:
  rlm fork todo --at 3 -c stronger-model.yaml
  rlm fork todo --at 3 -p "Leave the tests alone" && rlm diff todo todo-at-3+2`,
    )
    .action((run: string, options: import('../fork-once.ts').ForkOptions) =>
      perform(async () => (await import('../fork-once.ts')).forkOnce(io, run, options)),
    );
}

function iteration(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be the number of an iteration.');
  return Number(value);
}
