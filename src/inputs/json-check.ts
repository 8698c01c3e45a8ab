import type { InputSummary } from '../domain/kernel-protocol.ts';
import type { Field } from '../domain/signature/field-type.ts';
import { summarizeValue, TextGlimpse, UNKNOWN } from '../domain/summarize-value.ts';
import { checkPart } from './check-part.ts';
import type { Check } from './checking.ts';
import { invalid } from './invalid.ts';
import { JsonSplitter, MOST_BYTES } from './json-splitter.ts';
import { DictCheck, ListCheck } from './list-check.ts';
import { parseExactly, parseJsonBytes } from './parse-json.ts';

const NEWLINE = 0x0a;
/** As Python's `bytes.strip` has them. */
const BLANKS = new Set([0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

/** A JSON text: item by item where it is a list or a dict, whole otherwise. */
export function checkJson(field: Field, label: string): Check {
  let inner: ListCheck | DictCheck | undefined;
  let summary: InputSummary | undefined;
  const splitter = new JsonSplitter({
    open(mark) {
      inner = mark === '[' ? new ListCheck(field, label) : new DictCheck(field, label);
    },
    item(bytes, line) {
      if (inner instanceof ListCheck) inner.item(bytes, line);
      else inner?.entry(bytes, line);
    },
    value(bytes, start) {
      summary = bytes === null ? summarizeStart(start) : checkWhole(bytes, field, label);
    },
    fault(what, line): never {
      throw invalid(`${label}, line ${line} is not JSON: ${what}`);
    },
  });
  return {
    take: (chunk) => {
      splitter.take(chunk);
    },
    end() {
      splitter.end();
      inner?.end();
    },
    summary: () => inner?.summary() ?? summary ?? summarizeValue(UNKNOWN),
  };
}

function checkWhole(bytes: Buffer, { name, type }: Field, label: string): InputSummary {
  const parsed = parseJsonBytes(bytes);
  if ('fault' in parsed) throw invalid(`${label} is not JSON: ${parsed.fault}`);
  const checked = checkPart(name, type, parsed.value);
  if ('problems' in checked) throw invalid(`${label}: ${checked.problems}`);
  return summarizeValue(parseExactly(bytes.toString('utf8')), type);
}

/** Of a value that nobody looked at: only a text can be that long. */
function summarizeStart(start: Buffer): InputSummary {
  const text = start.toString('utf8', 1, 1000).replace(/\\[^\\]*$/, '');
  const parsed = parseJsonBytes(Buffer.from(`"${text}"`));
  const begin = 'value' in parsed && typeof parsed.value === 'string' ? parsed.value : text;
  return summarizeValue(new TextGlimpse(begin, '', null));
}

/** A JSON value on each line; lines of blanks do not count. */
export function checkJsonLines(field: Field, label: string): Check {
  const list = new ListCheck(field, label);
  let parts: Buffer[] = [];
  let size = 0;
  let line = 0;
  const finish = (): void => {
    line += 1;
    const whole = size > MOST_BYTES ? null : withoutMark(Buffer.concat(parts), line);
    if (whole === null || !whole.every((byte) => BLANKS.has(byte))) list.item(whole, line);
    parts = [];
    size = 0;
  };
  const keep = (bytes: Buffer): void => {
    size += bytes.length;
    if (size > MOST_BYTES) parts = [];
    else parts.push(bytes);
  };
  return {
    take(chunk) {
      let begin = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, begin)) {
        keep(chunk.subarray(begin, end));
        finish();
        begin = end + 1;
      }
      keep(chunk.subarray(begin));
    },
    end() {
      finish();
      list.end();
    },
    summary: () => list.summary(),
  };
}

function withoutMark(bytes: Buffer, line: number): Buffer {
  return line === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
}
