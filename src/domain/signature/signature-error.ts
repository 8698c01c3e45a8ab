import { TypedError } from '../failures.ts';

const WIDTH = 100;

/** What is wrong with a signature, where, and what to do about it. */
export class SignatureError extends TypedError {
  /** Index into `source`, in UTF-16 code units; 0 where nothing was parsed. */
  readonly position: number;
  /** The text the position counts in. */
  readonly source: string;

  constructor(message: string, source = '', position = 0) {
    super('Input.Invalid', message);
    this.source = source;
    this.position = position;
  }
}

/** The text with its error, how long the marked part is, what is wrong in a sentence, and what to do. */
export interface Complaint {
  readonly position: number;
  readonly length?: number;
  readonly problem: string;
  readonly advice: string;
}

/**
 * @param place - what the text is, at the beginning of the message: `The signature`, or the path of a type in a
 *   structured form.
 */
export function signatureError(source: string, place: string, complaint: Complaint): SignatureError {
  const { position, problem, advice, length = 1 } = complaint;
  const column = Array.from(source.slice(0, position)).length + 1;
  const message = `${place} is wrong at character ${column}: ${problem}.\n${marked(source, position, length)}\n${advice}`;
  return new SignatureError(message, source, position);
}

/** The line of the position, and below it carets under what is meant. */
function marked(source: string, position: number, length: number): string {
  const start = source.lastIndexOf('\n', position - 1) + 1;
  const newline = source.indexOf('\n', position);
  const end = newline < 0 ? source.length : newline;
  const from = Math.max(start, Math.min(position - WIDTH / 2, end - WIDTH));
  const to = Math.min(end, Math.max(from, start) + WIDTH);
  const cutHead = from > start ? '…' : '';
  const line = `${cutHead}${source.slice(from, to)}${to < end ? '…' : ''}`.replaceAll('\r', ' ');
  const before = Array.from(cutHead + source.slice(from, position), (character) => (character === '\t' ? '\t' : ' '));
  const carets = '^'.repeat(
    Math.max(1, Math.min(Array.from(source.slice(position, position + length)).length, to - position)),
  );
  return `  ${line}\n  ${before.join('')}${carets}`;
}
