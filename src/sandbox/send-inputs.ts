import type { InputVariable, KernelInfo } from '../domain/kernel-protocol.ts';
import type { Kernel } from './provider.ts';

/** Bytes of a piece: what client, supervisor and REPL each hold of an input at a time. */
const PIECE = 4 * 1024 * 1024;

/**
 * Sends the inputs of a setup that its kernel does not have: after the setup, and again after its REPL process died
 * (`KernelInfo.missing`). May be repeated and cut short at any time: what has arrived is not taken twice.
 *
 * @param inputs - all of the setup's, in its order.
 * @param open - the bytes of one, from its beginning; called once for each that is missing.
 * @throws TypedError `Input.Invalid` where the bytes are not what the format or the type says, or need more memory than
 *   the sandbox has; otherwise as every method of a kernel.
 */
export async function sendInputs(
  kernel: Kernel,
  { generation, missing = [] }: Pick<KernelInfo, 'generation' | 'missing'>,
  inputs: readonly InputVariable[],
  open: (input: InputVariable) => AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  for (const [position, input] of inputs.entries()) {
    if (!missing.includes(input.name)) continue;
    let offset = 0;
    for await (const { bytes, last } of inPieces(open(input))) {
      const reply = await kernel.input({ generation, input: position, offset, last, bytes }, signal);
      offset += bytes.length;
      // Another attempt had finished it.
      if (reply.loaded) break;
    }
  }
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** The same bytes in pieces of about one size, at least one, the last of them marked. */
async function* inPieces(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  let gathered: Uint8Array[] = [];
  let size = 0;
  for await (const part of parts) {
    for (let start = 0; start < part.length; start += PIECE) {
      const cut = part.subarray(start, start + PIECE);
      if (size > 0 && size + cut.length > PIECE) {
        yield { bytes: joined(gathered, size), last: false };
        gathered = [];
        size = 0;
      }
      gathered.push(cut);
      size += cut.length;
    }
  }
  yield { bytes: joined(gathered, size), last: true };
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only, ...others] = parts;
  return only !== undefined && others.length === 0 ? only : Buffer.concat(parts, size);
}
