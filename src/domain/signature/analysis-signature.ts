import { TypedError } from '../failures.ts';
import type { Signature } from './field-type.ts';
import { readSignature } from './read-signature.ts';
import { renderSignature } from './render.ts';
import { SignatureError } from './signature-error.ts';

/**
 * The signature of an analysis, in any of the forms of `readSignature`, with further instructions after its own.
 *
 * @throws TypedError `Input.Invalid` that names the field, or shows the character
 */
export function analysisSignature(form: unknown, instructions: string | undefined): Signature {
  try {
    const signature = readSignature(form);
    const parts = [signature.instructions, instructions].filter((part) => (part ?? '').trim() !== '');
    return parts.length === 0 ? signature : { ...signature, instructions: parts.join('\n\n') };
  } catch (error) {
    if (error instanceof SignatureError) throw new TypedError('Input.Invalid', error.message, { cause: error });
    throw error;
  }
}

/** What an analysis is about, for a person: its signature, and its instructions after it. */
export function analysisTitle(signature: Signature): string {
  const { instructions } = signature;
  return `${renderSignature(signature)}${instructions === undefined ? '' : `: ${instructions}`}`;
}
