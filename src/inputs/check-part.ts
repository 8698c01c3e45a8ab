import { checkInputs, describeProblems } from '../domain/signature/check-value.ts';
import type { FieldType } from '../domain/signature/field-type.ts';

/** A part of an input, `documents[3]`, as it is to be kept; or what is wrong with it, a line a problem. */
export type CheckedPart = { readonly value: unknown } | { readonly problems: string };

export function checkPart(path: string, type: FieldType, value: unknown): CheckedPart {
  const checked = checkInputs({ inputs: [{ name: path, type }] }, { [path]: value });
  return checked.ok ? { value: checked.values[path] } : { problems: describeProblems(checked.problems) };
}

export function accepts(type: FieldType, value: unknown): boolean {
  return 'value' in checkPart('value', type, value);
}
