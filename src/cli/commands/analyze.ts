import { Command } from 'commander';
import { repeated, withJson, withResults, withTalk, withTemporal, withTools } from '../options.ts';
import { withSettings } from '../settings.ts';
import type { CommandContext } from '../command-context.ts';

export function analyzeCommand({ io, perform }: CommandContext): Command {
  const command = new Command('analyze')
    .description('let agents work on data, towards a typed result; prints the fields as JSON')
    .requiredOption(
      '-s, --signature <text>',
      'what is given and what is wanted: "documents: list[str], question -> answer: str"; @file reads it from YAML or JSON',
    )
    .option(
      '-i, --input <name=value>',
      'a value, @file (text, JSON, CSV, XLSX, Parquet, PDF, DOCX), @folder, @glob or - for standard input; repeatable',
      repeated,
    )
    .option(
      '--instructions <text>',
      'what the signature does not say; @file reads it from a file, - from standard input',
    )
    .option('--describe <field=text>', 'what a field holds; repeatable', repeated)
    .option('-o, --output <file>', 'write the fields to a file instead')
    .option(
      '--plot <x=,y=,series=>',
      'draw the field that is a list of dicts, as SVG and PNG beside the results, or named after -o',
    )
    .option('--id <run>', 'name the run; an existing run with the same arguments is attached to and resumed')
    .option('--detach', 'start the run, with a worker in the background, and return')
    .option('--trace-file <file>', 'add OpenTelemetry traces to a file, as lines of OTLP/JSON')
    .option('--record <file>', 'keep every exchange with models in a file')
    .option('--replay <file>', 'have the answers of models from such a file: no model is asked, nothing is paid')
    .option('--no-worker', 'leave the work to workers elsewhere');
  return withTemporal(withTalk(withSettings(withJson(withResults(withTools(command))))))
    .addHelpText(
      'after',
      `
Types: str (where none is given), int, float, bool, list[T], dict[K, V], tuple[...], Literal['a', 'b'], Optional[T],
T | None, Any, and {key: type, ...} for objects. docs/analyses.md tells more.

Examples:
  rlm analyze -s "documents: list[str], question -> answer" -i documents=@papers/ -i question="What do they agree on?"
  rlm analyze -s "reviews: list[dict] -> themes: list[{theme: str, share: float}]" -i reviews=@reviews.csv -o themes.json

Ctrl-C leaves the run to itself, a second one cancels it. The same command with the same --id attaches again,
and resumes a run that was interrupted or paused.`,
    )
    .action((options: import('../analyze-once.ts').AnalyzeOptions) =>
      perform(async () => (await import('../analyze-once.ts')).analyzeOnce(io, options)),
    );
}
