import { Command, InvalidArgumentError, Option } from 'commander';
import { repeated, withJson, withTemporal } from '../options.ts';
import type { CommandContext } from '../command-context.ts';
import { withWork } from './batch.ts';

type Schedules = typeof import('../schedule/manage.ts');

export function scheduleCommand({ io, perform }: CommandContext): Command {
  const act = (work: (schedules: Schedules) => Promise<number>): Promise<void> =>
    perform(async () => work(await import('../schedule/manage.ts')));
  const command = new Command('schedule').description(
    'runs, analyses and batches at set times, as schedules of Temporal; a worker must be there (rlm up)',
  );
  command.addCommand(
    withTimes(withWork(withTemporal(new Command('create'))))
      .description('start a run, an analysis or a batch at set times')
      .argument('<name>', 'of the schedule; its runs are called <name>-<time>')
      .option('--batch <items>', 'file with the items of a batch; it is read now')
      .option('--only-if-changed', 'skip a run whose repository has no new commit')
      .addHelpText(
        'after',
        `
Examples:
  rlm schedule create nightly --cron "0 3 * * *" --timezone Europe/Berlin --repo . -p "Review what is new"
  rlm schedule create nightly --cron "0 3 * * *" --batch files.csv --repo . -p "Review {{path}}"
  rlm schedule create prices --every 6h -s "rows: list[dict] -> outliers: list[str]" -i rows=@prices.csv

A folder is read on this machine at each occurrence, so that it has the commits of the day. docs/batches.md tells more.`,
      )
      .action((name: string, options: import('../schedule/manage.ts').CreateOptions) =>
        act((schedules) => schedules.createSchedule(io, name, options)),
      ),
  );
  command.addCommand(
    withJson(withTemporal(new Command('list')))
      .description('all schedules: last run, result, cost, next run, missed runs')
      .action((options: import('../schedule/manage.ts').ShowOptions) =>
        act((schedules) => schedules.listSchedules(io, options)),
      ),
  );
  command.addCommand(
    withJson(withTemporal(new Command('show')))
      .description('one schedule: when it runs, what it runs, and its latest runs')
      .argument('<name>', 'of the schedule')
      .action((name: string, options: import('../schedule/manage.ts').ShowOptions) =>
        act((schedules) => schedules.showSchedule(io, name, options)),
      ),
  );
  command.addCommand(
    withTimes(withTemporal(new Command('update')))
      .description('change when a schedule runs; what is left out stays')
      .argument('<name>', 'of the schedule')
      .action((name: string, options: import('../schedule/manage.ts').TimesOptions) =>
        act((schedules) => schedules.updateSchedule(io, name, options)),
      ),
  );
  for (const [verb, description] of [
    ['pause', 'start nothing until it is resumed; what runs continues'],
    ['resume', 'start runs again, from the next occurrence on'],
  ] as const) {
    command.addCommand(
      withTemporal(new Command(verb))
        .description(description)
        .argument('<name>', 'of the schedule')
        .option('--note <text>', 'shown with the schedule')
        .action((name: string, options: import('../schedule/manage.ts').NoteOptions) =>
          act((schedules) => schedules.setPaused(io, name, verb === 'pause', options)),
        ),
    );
  }
  command.addCommand(
    withTemporal(new Command('trigger'))
      .description('start a run now, besides its times')
      .argument('<name>', 'of the schedule')
      .addOption(overlapOption())
      .action((name: string, options: import('../schedule/manage.ts').TimesOptions) =>
        act((schedules) => schedules.triggerSchedule(io, name, options)),
      ),
  );
  command.addCommand(
    withTemporal(new Command('backfill'))
      .description('start the runs of a time that has passed, one after another')
      .argument('<name>', 'of the schedule')
      .requiredOption('--from <time>', 'such as 2026-01-31 or 2026-01-31T03:00:00Z')
      .option('--to <time>', 'default: now')
      .addOption(overlapOption())
      .action((name: string, options: import('../schedule/manage.ts').BackfillOptions) =>
        act((schedules) => schedules.backfillSchedule(io, name, options)),
      ),
  );
  command.addCommand(
    withTemporal(new Command('delete'))
      .description('start no more runs; what runs continues, and results stay')
      .argument('<name>', 'of the schedule')
      .action((name: string, options: import('../schedule/manage.ts').NoteOptions) =>
        act((schedules) => schedules.deleteSchedule(io, name, options)),
      ),
  );
  return command;
}

function withTimes(command: Command): Command {
  return command
    .option('--cron <times>', 'when, as five fields of cron; repeatable', repeated)
    .addOption(
      new Option('--every <duration>', 'how often, such as 30m or 6h; repeatable').argParser(
        (value, before: readonly string[] | undefined) => repeated(duration(value), before),
      ),
    )
    .option('--timezone <name>', 'of --cron, such as Europe/Berlin (default: UTC)')
    .addOption(new Option('--jitter <duration>', 'start up to so much later, at random').argParser(duration))
    .addOption(overlapOption())
    .addOption(
      new Option('--catchup <duration>', 'how late an occurrence may start that was missed (default: 1d)').argParser(
        catchup,
      ),
    )
    .option('--pause-on-failure', 'pause the schedule when a run of it fails');
}

function overlapOption(): Option {
  return new Option('--overlap <policy>', 'what to do while the run before is still at work (default: skip)').choices([
    'skip',
    'buffer_one',
    'buffer_all',
    'cancel_other',
    'terminate_other',
    'allow_all',
  ]);
}

function duration(value: string): string {
  if (!/^\d+(\.\d+)?\s*(s|m|h|d|w)$/.test(value))
    throw new InvalidArgumentError('It must be such as 90s, 30m, 6h or 1d.');
  if (Number.parseFloat(value) === 0)
    throw new InvalidArgumentError('It must be more than nothing, such as 90s or 6h.');
  return value;
}

/** Temporal takes 10 seconds where it is given less. */
function catchup(value: string): string {
  const checked = duration(value);
  if (checked.endsWith('s') && Number.parseFloat(checked) < 10)
    throw new InvalidArgumentError('It must be at least 10s.');
  return checked;
}
