import type { Answer, AnswersRecord, BlockRecord, CallAnswer, CallsRecord, ChainRecord } from './records.ts';

/** How a block ended that must not run again: it would end the interpreter, or run out of time, again. */
const ENDED_FROM_OUTSIDE: ReadonlySet<string> = new Set(['timeout', 'crashed', 'memory', 'interrupted']);

/** Whether a block runs again when its sandbox is rebuilt. */
export function isReplayable({ result }: Pick<BlockRecord, 'result'>): boolean {
  return !ENDED_FROM_OUTSIDE.has(result.status);
}

/** A call that was answered once. */
export interface AnsweredCall {
  readonly call: string;
  /** Blob with the call. */
  readonly request: string;
  readonly answer: Answer;
}

/** The calls of one block that were answered, in the order of their answers. */
export function answeredCalls(records: readonly ChainRecord[], block: number): AnsweredCall[] {
  const calls = records.filter((record): record is CallsRecord => record.kind === 'calls' && record.block === block);
  const requests = new Map(calls.flatMap((record) => record.calls.map(({ call, request }) => [call, request])));
  return records
    .filter((record): record is AnswersRecord => record.kind === 'answers' && record.block === block)
    .flatMap((record) => record.answers)
    .flatMap(({ call, answer }: CallAnswer) => {
      const request = requests.get(call);
      return request === undefined ? [] : [{ call, request, answer }];
    });
}

/** Answers handed out again when a block is replayed: equal calls get them in the order they came. */
export interface RecordedAnswers {
  readonly remaining: number;
  /** @param request hash of the blob with the call */
  take(request: string): Answer | undefined;
}

export function recordedAnswers(calls: readonly AnsweredCall[]): RecordedAnswers {
  const remaining = [...calls];
  return {
    get remaining() {
      return remaining.length;
    },
    take(request) {
      const at = remaining.findIndex((call) => call.request === request);
      return at === -1 ? undefined : remaining.splice(at, 1)[0]?.answer;
    },
  };
}

/** What makes the same output different each time it is printed. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/\b0x[0-9a-f]{4,}\b/gi, '0x'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, 'uuid'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, 'time'],
  [/\b\d\d:\d\d:\d\d(?:\.\d+)?\b/g, 'time'],
  [/\b1[5-9]\d{8}(?:\.\d+)?\b/g, 'time'],
  [/\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|µs|us|ms|s|sec|secs|seconds)\b/g, 'duration'],
  [/\/tmp\/[A-Za-z0-9_.-]+/g, '/tmp/'],
  // A process that was about to end, as the kernel names those that run on.
  [/\[\d+ process(?:es)? runs? on after this block: [^\n]*\]\n/g, ''],
];

/** Whether two outputs say the same, addresses, times, durations, random ids and temporary names left aside. */
export function sameOutput(a: string, b: string): boolean {
  const plain = (text: string): string =>
    VOLATILE.reduce((masked, [pattern, by]) => masked.replaceAll(pattern, by), text);
  return a === b || plain(a) === plain(b);
}
