import type { SignatureForm } from '../domain/signature/read-signature.ts';
import type { SignatureInputs, SignatureOutputs } from '../domain/signature/inference.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { file } from '../inputs/index.ts';
import type { RunDocument } from '../results/run-document.ts';

/**
 * A value, or where it comes from: anything that can be iterated for a list, whose items are stored as they come; bytes
 * for a str; `file(...)` and `folder(...)`.
 */
export type InputValues<Inputs> = {
  readonly [Name in keyof Inputs]: Inputs[Name] | InputSource<Inputs[Name]>;
};

type InputSource<Value> =
  | InputPlace
  | (Value extends string ? Uint8Array : never)
  | (Value extends readonly (infer Item)[] ? AsyncIterable<Item> | Iterable<Item> : never);

/** What `file` and `folder` make: a place whose content is read when the run is started. */
export type InputPlace = ReturnType<typeof file>;

/**
 * A typed analysis. Types of inputs and result are those of the signature, where its text is known at compile time.
 *
 *     await client.analyze({ signature: 'documents: list[str], question -> answer: str', inputs: { documents, question } })
 */
export interface AnalysisRequest<Signature extends string = string> {
  /** Default: made up from the signature and time. One that exists, with the same arguments, is attached to. */
  readonly id?: string;
  /** DSPy's notation, or one of the other forms of a signature. */
  readonly signature: Signature | Exclude<SignatureForm, string>;
  /** What the signature does not say. */
  readonly instructions?: string;
  /** What fields hold, by name. */
  readonly descriptions?: Readonly<Record<string, string>>;
  /** A value for each input; may be left out where there are none. */
  readonly inputs?: InputValues<SignatureInputs<Signature>>;
  readonly config?: ConfigInput;
}

/** What came of an analysis: `answer` has the fields of the signature, and is null where it did not come to its end. */
export type AnalysisDocument<Signature extends string = string> = Omit<RunDocument, 'answer'> & {
  readonly answer: SignatureOutputs<Signature> | null;
};
