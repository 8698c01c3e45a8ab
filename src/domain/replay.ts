import type { Answer, AnswersRecord, BlockRecord, ChainRecord, RecordedAnswer } from './records.ts';

/** Answers that the calls of a block got once, handed out again: equal calls get them in the order they came. */
export interface ReplayedAnswers {
  readonly left: number;
  /** @param request hash of the blob with the call */
  take(request: string): Answer | undefined;
}

export function replayAnswers(recorded: readonly RecordedAnswer[]): ReplayedAnswers {
  const left = [...recorded];
  return {
    get left() {
      return left.length;
    },
    take(request) {
      const at = left.findIndex((answer) => answer.request === request);
      return at === -1 ? undefined : left.splice(at, 1)[0]?.answer;
    },
  };
}

/** How a block ended that must not run again: it would end the interpreter, or run out of time, once more. */
const ENDED_FROM_OUTSIDE: ReadonlySet<string> = new Set(['timeout', 'crashed', 'memory', 'interrupted']);

export function runsAgain({ result }: BlockRecord): boolean {
  return !ENDED_FROM_OUTSIDE.has(result.status);
}

export interface CompletedBlock {
  readonly record: BlockRecord;
  readonly answers: readonly RecordedAnswer[];
}

/** The blocks of a chain that have ended, with the answers their calls got, in the order they ran. */
export function completedBlocks(records: readonly ChainRecord[]): CompletedBlock[] {
  const answers = records.filter((record): record is AnswersRecord => record.kind === 'answers');
  return records
    .filter((record): record is BlockRecord => record.kind === 'block')
    .map((record) => ({
      record,
      answers: answers.filter(({ block }) => block === record.block).flatMap((each) => each.answers),
    }));
}

/** What makes the same output different each time it is printed. */
const PASSING: readonly (readonly [RegExp, string])[] = [
  [/\b0x[0-9a-f]{4,}\b/gi, '0x'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, 'uuid'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, 'time'],
  [/\b\d\d:\d\d:\d\d(?:\.\d+)?\b/g, 'time'],
  [/\b1[5-9]\d{8}(?:\.\d+)?\b/g, 'time'],
  [/\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|µs|us|ms|s|sec|secs|seconds)\b/g, 'duration'],
  [/\/tmp\/[A-Za-z0-9_.-]+/g, '/tmp/'],
];

/** Whether two outputs say the same, addresses, times, durations, random ids and temporary names left aside. */
export function sameOutput(a: string, b: string): boolean {
  const plain = (text: string): string =>
    PASSING.reduce((masked, [pattern, by]) => masked.replaceAll(pattern, by), text);
  return a === b || plain(a) === plain(b);
}
