import type { Question } from '../domain/messages.ts';
import type { CallRequest } from '../domain/records.ts';
import type { BlobStore } from '../storage/blob-store.ts';

/** What a person is asked about: the patch, or the call with all of its arguments. */
export async function questionContent(
  blobs: Pick<BlobStore, 'get'>,
  { step, ref }: Pick<Question, 'step' | 'ref'>,
): Promise<Uint8Array | string> {
  const bytes = await blobs.get(ref);
  if (step === 'patch') return bytes;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
  const { list, arguments: given } = JSON.parse(Buffer.from(bytes).toString('utf8')) as CallRequest;
  return `${step === 'tools' ? JSON.stringify(given, undefined, 2) : list.join('\n---\n')}\n`;
}
