import { Command, InvalidArgumentError, Option } from 'commander';
import { withTalk, withTemporal, withTools } from '../options.ts';
import type { CommandContext } from '../command-context.ts';

const QUEUES: readonly string[] = ['workflows', 'models', 'sandboxes'];

export function workerCommand({ io, perform }: CommandContext): Command {
  const command = new Command('worker')
    .description('run a worker for a Temporal server that runs already, until Ctrl-C')
    .addOption(
      new Option(
        '--only <queue>',
        'take only this: workflows, models or sandboxes; repeatable, for runs whose temporal.queues is separate',
      ).argParser<readonly string[] | undefined>((value, before) => [...(before ?? []), oneOfQueues(value)]),
    )
    .option('--max-models <n>', 'model calls at the same time (default: no limit)', wholeNumber(1))
    .option(
      '--max-models-per-second <n>',
      'model calls that begin in a second, over all workers together, of runs whose temporal.queues is separate; ' +
        'prompts of a batch count by rlm.prompts_per_activity (default: no limit)',
      positive,
    )
    .option(
      '--max-sandboxes <n>',
      'sandboxes being made or running code at the same time (default: no limit)',
      wholeNumber(1),
    )
    .option('--max-workflow-tasks <n>', 'workflow tasks at the same time (default: 40)', wholeNumber(2))
    .addOption(
      new Option(
        '--build-id <id>',
        "take part in Temporal's worker versioning, as this version: it gets runs once it is made the current one",
      ).argParser(buildId),
    )
    .addOption(
      new Option(
        '--deployment <name>',
        'worker deployment that the version belongs to (default: durable-rlm)',
      ).argParser(deployment),
    )
    .addOption(
      new Option(
        '--versioning <behavior>',
        'what becomes of open runs when another version is made current: auto-upgrade, they move on to it; pinned, they end ' +
          'on the one they began on (default: auto-upgrade)',
      ).choices(['auto-upgrade', 'pinned']),
    )
    .option(
      '--drain <seconds>',
      'time that work under way gets to end in after SIGTERM or Ctrl-C; a second one ends at once',
      wholeNumber(0),
      30,
    )
    .option('--metrics-port <port>', 'serve metrics for Prometheus on /metrics', port)
    .option('--metrics-address <address>', 'address to serve them on', '127.0.0.1')
    .option('--health-port <port>', 'serve /health and /ready; may be the port of the metrics', port)
    .option('--health-address <address>', 'address to serve them on', '127.0.0.1')
    .option('--trace-file <file>', 'add OpenTelemetry traces of the runs to a file, as lines of OTLP/JSON')
    .addOption(
      new Option('--log-format <format>', 'of the lines on standard error').choices(['text', 'json']).default('text'),
    )
    .addOption(
      new Option(
        '--log-level <level>',
        'least that is worth a line (default: info; warn with -q, debug with -v)',
      ).choices(['debug', 'info', 'warn', 'error']),
    );
  return withTemporal(withTalk(withTools(command))).action((options: import('../work.ts').WorkOptions) =>
    perform(async () => (await import('../work.ts')).work(io, options)),
  );
}

function buildId(value: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$/.test(value))
    throw new InvalidArgumentError('It takes letters, digits and . _ + -, at most 128 of them.');
  return value;
}

/** Temporal joins it to the build id by a dot. */
function deployment(value: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$/.test(value))
    throw new InvalidArgumentError('It takes letters, digits, _ and -, at most 128 of them.');
  return value;
}

function oneOfQueues(value: string): string {
  if (!QUEUES.includes(value)) throw new InvalidArgumentError(`Allowed choices are ${QUEUES.join(', ')}.`);
  return value;
}

function wholeNumber(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least)
      throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
    return number;
  };
}

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0 || number > 65_535)
    throw new InvalidArgumentError('It must be a port: 1 to 65535, or 0 for any that is free.');
  return number;
}
