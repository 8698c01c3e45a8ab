import type { ChainRecord, ReplyRecord, SummaryRecord } from '../records.ts';

/** Share of the limit that the turns kept as they are may have. */
const KEPT = 0.25;
/** Characters of a token, about. */
const CHARACTERS = 4;
/** Names that are listed. */
const LISTED = 200;

/**
 * Tokens of an agent's next request, about: what its last reply was charged for, and what came since.
 *
 * @param characters - of the whole request
 */
export function estimatedTokens(records: readonly ChainRecord[], characters: number): number {
  const last = records.findLastIndex(({ kind }) => kind === 'reply' || kind === 'summary');
  const reply = records[last];
  if (reply?.kind !== 'reply' || reply.usage.input_tokens === 0) return Math.ceil(characters / CHARACTERS);
  const since = records.slice(last + 1).reduce((sum, record) => sum + outputOf(record), 0);
  return reply.usage.input_tokens + reply.usage.output_tokens + Math.ceil(since / CHARACTERS);
}

/**
 * The last iteration of those that a summary replaces: the newest turns stay as they are, as many as a quarter of the
 * limit holds, at least one. Undefined where there is nothing to be replaced.
 *
 * @param limit - tokens
 */
export function lastToSummarize(records: readonly ChainRecord[], limit: number): number | undefined {
  const before = records.findLast((record): record is SummaryRecord => record.kind === 'summary')?.through ?? 0;
  const replies = records.filter(
    (record): record is ReplyRecord =>
      record.kind === 'reply' && record.purpose === 'turn' && record.iteration > before,
  );
  let kept = 0;
  for (const [index, reply] of replies.toReversed().entries()) {
    kept += sizeOfTurn(records, reply.iteration) / CHARACTERS;
    const next = replies.at(-2 - index);
    if (next === undefined) return undefined;
    if (kept + sizeOfTurn(records, next.iteration) / CHARACTERS > limit * KEPT) return next.iteration;
  }
  return undefined;
}

function sizeOfTurn(records: readonly ChainRecord[], iteration: number): number {
  return records
    .filter((record) => (record.kind === 'reply' || record.kind === 'block') && record.iteration === iteration)
    .reduce((sum, record) => sum + (record.kind === 'reply' ? record.text.length : outputOf(record)), 0);
}

function outputOf(record: ChainRecord): number {
  if (record.kind !== 'block') return 0;
  const { stdout, stderr, error } = record.result;
  return stdout.length + stderr.length + (error?.length ?? 0);
}

export const SUMMARY_QUESTION = `The conversation is getting long. Before you go on, write a summary of all turns so far, for yourself: it replaces them, and you will see nothing else of them. The interpreter and all its variables stay as they are. Say
- what has been found out, with the facts and figures that are needed later, and what turned out to be wrong;
- what each variable and function you made holds or does, so that you can use it without looking again;
- what is done, and what is left to do next.
Write plain text; no code is run from this reply.`;

/** What stands in a prompt for the turns that a summary replaces. */
export function summarySection({ text, through }: SummaryRecord, records: readonly ChainRecord[]): string {
  const names = assignedNames(
    records.flatMap((record) =>
      record.kind === 'block' && record.iteration <= through && record.result.status === 'ok' ? [record.code] : [],
    ),
  );
  const listed = names.slice(0, LISTED).join(', ');
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  const variables =
    names.length === 0 ? '' : `\n\nNames your code has set in the interpreter, all still there: ${listed}${more}.`;
  const said = text.trim() === '' ? 'You gave no summary of them.)' : `Your summary of them:)\n\n${text.trim()}`;
  return `(Turns 1 to ${through} are left out here. ${said}${variables}`;
}

const ASSIGNED = /^([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?::[^=\n]+)?=(?!=)/;
const DEFINED = /^(?:async\s+)?(?:def|class)\s+([A-Za-z_]\w*)/;
const IMPORTED = /^(?:from\s+\S+\s+)?import\s+(.+)$/;

/** Names that code sets at its top level, about: in the order they were first set. */
function assignedNames(codes: readonly string[]): string[] {
  const lines = codes.flatMap((code) => code.split('\n'));
  const names = lines.flatMap((line) => {
    const assigned = ASSIGNED.exec(line)?.[1]?.split(',') ?? [];
    const defined = DEFINED.exec(line)?.slice(1, 2) ?? [];
    const imported = IMPORTED.exec(line)?.[1]?.replaceAll(/[()]/g, '').split(',') ?? [];
    return [...assigned, ...defined, ...imported.map((part) => part.split(/\s+as\s+/).at(-1) ?? '')];
  });
  return [...new Set(names.map((name) => name.trim()).filter((name) => /^[A-Za-z]\w*$/.test(name)))];
}
