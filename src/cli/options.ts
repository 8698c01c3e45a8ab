import { Command, InvalidArgumentError, Option } from 'commander';

export interface TemporalOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
  readonly config?: string;
}

export interface TalkOptions {
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Of a command that follows a run which is there. */
export interface AttachOptions extends TemporalOptions, TalkOptions, JsonOption {
  readonly tools?: readonly string[];
  readonly results?: string;
  readonly output?: string;
}

export interface JsonOption {
  readonly json?: boolean;
}

/** Of every command that works with runs: where Temporal is, and the configuration that names the rest. */
export function withTemporal(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'configuration, on top of your own in ~/.config/durable-rlm (default: config.yaml in the current folder, of which only limits and models count until rlm trust)',
    )
    .option('--address <address>', 'Temporal server (default: TEMPORAL_ADDRESS, a profile, or the embedded one)')
    .option('--namespace <name>', 'Temporal namespace')
    .option('--profile <name>', "profile of Temporal's configuration file");
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print one JSON document on standard output');
}

export function withTalk(command: Command): Command {
  return command
    .addOption(new Option('-q, --quiet', 'no progress, only what went wrong').conflicts('verbose'))
    .option(
      '-v, --verbose',
      'more about what happens: what the root agent thinks, the code it writes, what that prints',
    );
}

export function withResults(command: Command): Command {
  return command.option('--results <folder>', 'folder of the results files', 'results');
}

/** Of a command with a worker: what the code of analyses can call. */
export function withTools(command: Command): Command {
  return command.option(
    '--tools <file>',
    'functions for the code of analyses to call: a .ts, .js or .mjs file; repeatable',
    repeated,
  );
}

/** Gathers what an option is given each time. */
export function repeated(value: string, before: readonly string[] = []): readonly string[] {
  if (value === '') throw new InvalidArgumentError('It is empty.');
  return [...before, value];
}

/** Of a command that starts a run and sees it through. */
export function withLaunch(command: Command): Command {
  command
    .option('-o, --output <file>', 'write the patch, or the fields of an analysis, to a file')
    .option('--id <run>', 'name the run; an existing run with the same arguments is attached to and resumed')
    .option('--detach', 'start the run, with a worker in the background, and return')
    .option('--trace-file <file>', 'add OpenTelemetry traces to a file, as lines of OTLP/JSON')
    .option('--no-worker', 'leave the work to workers elsewhere');
  return withTemporal(withTalk(withJson(withResults(command))));
}

/** An agent of a run: 0 is the root, 0.2 its second sub-agent. */
export function agentOption(description: string): Option {
  return new Option('--agent <agent>', description).argParser((value) => {
    if (!/^0(\.[1-9]\d*)*$/.test(value)) throw new InvalidArgumentError('Ids of agents are written 0, 0.1, 0.1.2.');
    return value;
  });
}

/** For this program's own use. */
export function hidden(flags: string): Option {
  return new Option(flags).hideHelp();
}
