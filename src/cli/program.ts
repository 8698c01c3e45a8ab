import { Command, CommanderError } from 'commander';
import { analyzeCommand } from './commands/analyze.ts';
import { applyCommand } from './commands/apply.ts';
import { approveCommand } from './commands/approve.ts';
import { batchCommand } from './commands/batch.ts';
import { cancelCommand } from './commands/cancel.ts';
import { cleanCommand } from './commands/clean.ts';
import { codecCommand } from './commands/codec.ts';
import { continueCommand } from './commands/continue.ts';
import { deleteCommand } from './commands/delete.ts';
import { demoCommand } from './commands/demo.ts';
import { diffCommand } from './commands/diff.ts';
import { doctorCommand } from './commands/doctor.ts';
import { downCommand } from './commands/down.ts';
import { forkCommand } from './commands/fork.ts';
import { findingsCommand } from './commands/findings.ts';
import { asTyped } from './command-name.ts';
import type { CommandContext, DefineCommand } from './command-context.ts';
import { EXIT_DONE, EXIT_USAGE } from './exit-codes.ts';
import { flush, processIo, type Io } from './io.ts';
import { exportCommand } from './commands/export.ts';
import { listCommand } from './commands/list.ts';
import { patchCommand } from './commands/patch.ts';
import { budgetCommand } from './commands/budget.ts';
import { pauseCommand } from './commands/pause.ts';
import { reportError } from './report-error.ts';
import { rejectCommand } from './commands/reject.ts';
import { resultCommand } from './commands/result.ts';
import { resumeCommand } from './commands/resume.ts';
import { retryCommand } from './commands/retry.ts';
import { runCommand } from './commands/run.ts';
import { scheduleCommand } from './commands/schedule.ts';
import { serviceCommand } from './commands/service.ts';
import { showCommand } from './commands/show.ts';
import { statusCommand } from './commands/status.ts';
import { steerCommand } from './commands/steer.ts';
import { trustCommand } from './commands/trust.ts';
import { upCommand } from './commands/up.ts';
import { version } from './version.ts';
import { viewCommand } from './commands/view.ts';
import { watchCommand } from './commands/watch.ts';
import { workerCommand } from './commands/worker.ts';

const COMMANDS: readonly (readonly [heading: string, commands: readonly DefineCommand[]])[] = [
  [
    'Runs:',
    [
      runCommand,
      analyzeCommand,
      demoCommand,
      listCommand,
      viewCommand,
      statusCommand,
      watchCommand,
      showCommand,
      resultCommand,
      patchCommand,
      applyCommand,
      exportCommand,
      findingsCommand,
      continueCommand,
      forkCommand,
      diffCommand,
    ],
  ],
  ['Many runs:', [batchCommand, scheduleCommand]],
  [
    'Control:',
    [
      pauseCommand,
      resumeCommand,
      steerCommand,
      approveCommand,
      rejectCommand,
      retryCommand,
      budgetCommand,
      cancelCommand,
      deleteCommand,
    ],
  ],
  [
    'Machinery:',
    [upCommand, downCommand, workerCommand, serviceCommand, doctorCommand, cleanCommand, trustCommand, codecCommand],
  ],
];

const EXIT_HELP = `
Exit codes: 0 done, 1 failed or paused, 2 wrong usage or configuration (nothing was spent), 3 ended without
FINAL, with the last answer, 124 global timeout with partial results, 130 cancelled or left with Ctrl-C.`;

export function createProgram(context: CommandContext): Command {
  const program = new Command('rlm')
    .description('Recursive language model agents on a git repository or on data, as durable Temporal workflows.')
    .version(version(), '-V, --version')
    .addHelpText('after', EXIT_HELP)
    .helpCommand('help [command]', 'what a command does and takes')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.io.stdout.write(asTyped(text, context.io.env)),
      writeErr: (text) => context.io.stderr.write(asTyped(text, context.io.env)),
    });
  for (const [heading, commands] of COMMANDS) {
    for (const define of commands) {
      const command = define(context).helpGroup(heading);
      program.addCommand(command);
      inheritSettings(command, program, `rlm ${command.name()}`);
    }
  }
  return program;
}

/** A mistyped option is mostly the required one that would be found missing: commander would tell of that first. */
function preferUnknownOption(program: Command, [name, ...args]: readonly string[]): void {
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined || !hasUnknownOption(command, args)) return;
  for (const option of command.options) option.makeOptionMandatory(false);
}

/** Asked to help with a command that there is not, commander prints all of its help: it is to say that there is none. */
function withoutUnknownHelp({ commands }: Command, argv: readonly string[]): readonly string[] {
  const [help, name] = argv;
  if (help !== 'help' || name === undefined || name === help || name.startsWith('-')) return argv;
  return commands.some((command) => command.name() === name) ? argv : argv.slice(1);
}

/** How errors and help are printed, of a command and of those below it (`rlm schedule create`). */
function inheritSettings(command: Command, parent: Command, name: string): void {
  command.copyInheritedSettings(parent).showHelpAfterError(`(${name} --help shows what it takes)`);
  for (const each of command.commands) inheritSettings(each, command, `${name} ${each.name()}`);
}

/** Told by a command that knows the same options and does nothing. */
function hasUnknownOption({ options }: Command, args: readonly string[]): boolean {
  const scratch = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const { flags } of options) scratch.option(flags);
  try {
    return scratch.parseOptions([...args]).unknown.length > 0;
  } catch {
    // An option without its value: the command itself says so.
    return false;
  }
}

/** @returns the exit code */
export async function runProgram(typed: readonly string[], io: Io = processIo()): Promise<number> {
  let exitCode = EXIT_DONE;
  const program = createProgram({
    io,
    perform: async (work) => {
      exitCode = await work();
    },
  });
  const argv = withoutUnknownHelp(program, typed);
  try {
    if (argv.length === 0) program.outputHelp();
    else {
      preferUnknownOption(program, argv);
      await program.parseAsync([...argv], { from: 'user' });
    }
  } catch (error) {
    // Commander has printed its own messages; help and version are no errors.
    if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    else exitCode = reportError(io, error);
  }
  await flush(io);
  return exitCode;
}
