import { jsonrepair } from 'jsonrepair';
import { fencedTexts, finalText, replyOutcome } from './reply.ts';
import type { RunSpecification } from './records.ts';
import { checkOutputs, describeProblems, type Checked } from './signature/check-value.ts';
import type { Signature } from './signature/field-type.ts';
import { parseJson } from './ordered-json.ts';

/** What a reply gives that was asked for as the final answer, when no code is run any more. */
export type FinalAnswer =
  | { readonly kind: 'answer'; readonly answer: unknown }
  /** `problem`: what the model reads before it is asked again. */
  | { readonly kind: 'unusable'; readonly problem: string };

/** Objects of one reply that are looked at, the last ones. */
const MAX_CANDIDATES = 10;
/** Characters that are repaired: a hostile text can make that take quadratic time (50,000 take about a second). */
const MAX_REPAIRED_LENGTH = 50_000;

/** Of an analysis' root, whose answer has fields; every other agent answers with text. */
export function signatureOf(run: RunSpecification, depth: number): Signature | undefined {
  return run.type === 'analyze' && depth === 0 ? run.signature : undefined;
}

/**
 * A reply that was cut off, withheld or holds code is no answer.
 *
 * @param signature of a typed analysis, whose fields are wanted as JSON; else the answer is text
 * @param reply without its reasoning
 */
export function finalAnswer(
  signature: Pick<Signature, 'outputs'> | undefined,
  reply: { readonly text: string; readonly finish_reason: string },
): FinalAnswer {
  const outcome = replyOutcome(reply);
  if (outcome.kind === 'truncated')
    return unusable('Your answer was cut off at the length limit. Give it again, shorter.');
  if (outcome.kind === 'withheld')
    return unusable("Your answer was withheld by the provider's content filter. Give it again, in other words.");
  if (signature !== undefined) {
    const checked = fieldsInText(signature, reply.text);
    return checked.ok
      ? { kind: 'answer', answer: checked.values }
      : unusable(`That result does not fit:\n${describeProblems(checked.problems)}`);
  }
  const final = finalText(reply.text);
  if (final !== undefined && outcome.kind === 'code' && outcome.blocks.length === 1)
    return { kind: 'answer', answer: final };
  if (outcome.kind === 'code')
    return unusable('Your answer has Python code in it, and no code is run any more. Give the answer itself, as text.');
  if (outcome.kind === 'tool_call') return unusable('There are no tools to call. Give the answer itself, as text.');
  return outcome.text === '' ? unusable('Your answer was empty.') : { kind: 'answer', answer: outcome.text };
}

function unusable(problem: string): FinalAnswer {
  return { kind: 'unusable', problem };
}

/**
 * The output fields in a text: in its last fence that holds an object with them, else from the first brace to the last.
 * What is almost JSON is repaired. Where one text is wanted and there is no object, the text itself is it, unless it is
 * code.
 */
function fieldsInText(signature: Pick<Signature, 'outputs'>, text: string): Checked {
  const first = text.indexOf('{');
  const last = text.lastIndexOf('}');
  const candidates = [
    ...fencedTexts(text).filter((fenced) => fenced.includes('{')),
    ...(first === -1 ? [] : [text.slice(first, last > first ? last + 1 : undefined)]),
  ]
    .slice(-MAX_CANDIDATES)
    .toReversed();
  const read = candidates.map((candidate) => readObject(candidate, signature));
  const checked = read.flatMap((each) => (each.kind === 'value' ? [checkOutputs(signature, each.value)] : []));
  const found = checked.find(({ ok }) => ok) ?? checked[0];
  if (found !== undefined) return found;
  const [only, ...others] = signature.outputs;
  const isJsonMeant = /^(?:```json\s*)?\{/.test(text.trimStart());
  if (only?.type.kind === 'str' && others.length === 0 && !isJsonMeant) {
    const answer = finalText(text) ?? text.trim();
    const outcome = replyOutcome({ text, finish_reason: 'stop' });
    if (answer !== '' && (outcome.kind === 'text' || finalText(text) !== undefined))
      return { ok: true, values: { [only.name]: answer } };
  }
  const [refused] = read;
  return notJson(refused?.kind === 'not JSON' ? refused.message : 'not JSON at line 1: there is no object {...} in it');
}

type ReadObject =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'not JSON'; readonly message: string };

function readObject(text: string, { outputs }: Pick<Signature, 'outputs'>): ReadObject {
  let problem: ReadObject;
  try {
    return { kind: 'value', value: parseJson(text) };
  } catch (error) {
    problem = { kind: 'not JSON', message: notJsonAt(text, error) };
  }
  if (text.length > MAX_REPAIRED_LENGTH) return problem;
  try {
    const value = parseJson(jsonrepair(text));
    // Prose in braces can be "repaired" too.
    const isMeant = outputs.some(({ name }) => Object.hasOwn(Object(value), name));
    return isMeant ? { kind: 'value', value } : problem;
  } catch {
    return problem;
  }
}

function notJsonAt(text: string, error: unknown): string {
  const said = error instanceof Error ? error.message : '';
  const position = Number(/at position (\d+)/.exec(said)?.[1] ?? text.length);
  const before = text.slice(0, position).split('\n');
  const near = text.slice(position, position + 20).split('\n')[0] ?? '';
  const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return near === ''
    ? `not JSON at ${where}: it ends too early`
    : `not JSON at ${where}: ${JSON.stringify(near)} is not expected there`;
}

function notJson(message: string): Checked {
  return { ok: false, problems: [{ field: '', path: '', expected: 'a JSON object', got: 'something else', message }] };
}
