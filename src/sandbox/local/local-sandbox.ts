import { TypedError } from '../../domain/failures.ts';
import type { ProcessReply } from '../../domain/kernel-protocol.ts';
import type { SandboxHandle } from '../../domain/sandbox.ts';
import type { Kernel, Patch, Sandbox } from '../provider.ts';
import type { SandboxRecord } from './records.ts';

/** Bytes a patch may have; the largest files beyond it are left out and named. */
const PATCH_LIMIT = 48 * 1024 * 1024;
const PATCH_TIMEOUT_SECONDS = 300;
const MOST_NOTES = 200;

export class LocalSandbox implements Sandbox {
  readonly handle: SandboxHandle;
  readonly kernel: Kernel;
  readonly workspace: string;
  readonly #record: SandboxRecord;

  constructor(handle: SandboxHandle, record: SandboxRecord, kernel: Kernel) {
    this.handle = handle;
    this.kernel = kernel;
    this.workspace = record.inside.workspace;
    this.#record = record;
  }

  async patch(signal?: AbortSignal): Promise<Patch> {
    const { commit, inside } = this.#record;
    if (commit === undefined || inside.objects === undefined || inside.index === undefined) {
      return { bytes: new Uint8Array(), notes: [] };
    }
    const paths = ['--workspace', inside.workspace, '--objects', inside.objects, '--index', inside.index];
    if (inside.scratch !== undefined) paths.push('--scratch', inside.scratch);
    const command = ['patch', '--commit', commit, ...paths, '--limit', String(PATCH_LIMIT)];
    const reply = await this.kernel.process(
      {
        argv: [inside.python, '-I', '-S', inside.kernel, ...command],
        cwd: inside.workspace,
        timeout: PATCH_TIMEOUT_SECONDS,
        limit: PATCH_LIMIT + 1024 * 1024,
      },
      signal,
    );
    return readPatch(reply);
  }
}

/**
 * What `patch` of python/rlm_kernel/patch.py wrote: a line of JSON, then the patch's bytes. It ran inside the sandbox,
 * so nothing of it is taken on trust.
 *
 * @throws TypedError `Sandbox.Lost` when it makes no sense: the sandbox's files cannot be read any more.
 */
export function readPatch(reply: ProcessReply): Patch {
  const output = Buffer.from(reply.stdout, 'base64');
  const complaint = Buffer.from(reply.stderr, 'base64').toString('utf8').trim().slice(-2000);
  if (reply.code !== 0 || reply.truncated) {
    const why = reply.truncated ? 'it is larger than it said' : complaint || `exit code ${reply.code}`;
    throw new TypedError('Sandbox.Lost', `The sandbox's patch could not be taken: ${why}`);
  }
  const end = output.indexOf(0x0a);
  const header = end < 0 ? undefined : parseHeader(output.subarray(0, end).toString('utf8'));
  const bytes = output.subarray(end + 1);
  if (header === undefined || header.size !== bytes.length) {
    throw new TypedError('Sandbox.Lost', `The sandbox's patch could not be taken: what came back is not a patch`);
  }
  return { bytes: new Uint8Array(bytes), notes: header.notes };
}

function parseHeader(text: string): { size: number; notes: string[] } | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null || !('size' in value) || !('notes' in value)) return undefined;
    const { size, notes } = value;
    if (typeof size !== 'number' || !Array.isArray(notes)) return undefined;
    return { size, notes: notes.slice(0, MOST_NOTES).map((note) => String(note).slice(0, 500)) };
  } catch {
    return undefined;
  }
}
