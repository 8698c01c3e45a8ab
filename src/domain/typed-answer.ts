import { isRecord } from './is-record.ts';
import { codeBlocks } from './reply.ts';
import { checkOutputs, type Checked } from './signature/check-value.ts';
import type { Signature } from './signature/field-type.ts';

const FENCED = /```[a-z]*\s*\n([\s\S]*?)```/g;

/**
 * The output fields in a reply that was asked for them as JSON: in its last block that holds an object, else in the
 * text from the first brace to the last. Where one text is wanted and there is no JSON, the reply itself is it, unless it
 * is more code.
 */
export function fieldsInReply(signature: Pick<Signature, 'outputs'>, text: string): Checked {
  const blocks = [...text.matchAll(FENCED)].map(([, block = '']) => block).toReversed();
  const braces = text.slice(Math.max(0, text.indexOf('{')), text.lastIndexOf('}') + 1);
  const objects = [...blocks, braces].flatMap(parsedObject);
  const [first] = objects;
  const fitting = objects.map((value) => checkOutputs(signature, value)).find(({ ok }) => ok);
  if (fitting !== undefined) return fitting;
  const [only, ...others] = signature.outputs;
  const isText = only?.type.kind === 'str' && others.length === 0 && codeBlocks(text).length === 0;
  if (first === undefined && isText && text.trim() !== '') return { ok: true, values: { [only.name]: text.trim() } };
  return checkOutputs(signature, first ?? {});
}

function parsedObject(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? [value] : [];
  } catch {
    return [];
  }
}
