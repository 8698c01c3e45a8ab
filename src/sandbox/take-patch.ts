import { TypedError } from '../domain/failures.ts';
import type { ProcessReply } from '../domain/kernel-protocol.ts';
import { findForgery } from './check-patch.ts';
import type { Kernel, Patch, PatchOptions } from './provider.ts';

/** Where a sandbox keeps what a patch is taken with; paths as its processes see them. */
export interface PatchPaths {
  readonly python: string;
  /** The kernel's archive, which holds the program. */
  readonly kernel: string;
  readonly workspace: string;
  /** Absent where there is no repository, and so no patch. */
  readonly objects?: string;
  readonly index?: string;
  /** Holds whatever was written to the clone, where it is a layer on the checkout. */
  readonly changes?: string;
  /** What a setup did to the clone, as `kernel baseline` took it down: no part of the patch. Holds an index as well. */
  readonly setup?: string;
  /** A folder with room; default: that for temporary files. */
  readonly scratch?: string;
}

/** Bytes a patch may have; the largest files beyond it are left out and named. */
const PATCH_LIMIT = 48 * 1024 * 1024;
const PATCH_TIMEOUT_SECONDS = 300;
const MAX_NOTES = 200;

/**
 * The difference between a clone and its commit, taken inside by a repository outside of the tree. It ends whatever else
 * runs in the sandbox: nobody there can write to what takes it.
 */
export async function takePatch(
  kernel: Kernel,
  inside: PatchPaths,
  commit: string | undefined,
  signal?: AbortSignal,
  { brief = false }: PatchOptions = {},
): Promise<Patch> {
  const begin = inside.setup ?? inside.index;
  if (commit === undefined || inside.objects === undefined || begin === undefined) {
    return { bytes: new Uint8Array(), notes: [] };
  }
  const { workspace, index, changes } = inside;
  // What a setup made is not in the index.
  if (
    brief &&
    inside.setup === undefined &&
    index !== undefined &&
    (await kernel.unchanged({ workspace, index, ...(changes === undefined ? {} : { changes }) }, signal))
  )
    return { bytes: new Uint8Array(), notes: [] };
  const option = inside.setup === undefined ? '--index' : '--setup';
  const paths = ['--workspace', workspace, '--objects', inside.objects, option, begin];
  if (inside.scratch !== undefined) paths.push('--scratch', inside.scratch);
  const command = ['patch', '--commit', commit, ...paths, '--limit', String(PATCH_LIMIT)];
  const reply = await kernel.process(
    {
      argv: [inside.python, '-I', '-S', inside.kernel, ...command],
      cwd: workspace,
      timeout: PATCH_TIMEOUT_SECONDS,
      limit: PATCH_LIMIT + 1024 * 1024,
      alone: true,
    },
    signal,
  );
  const patch = readPatch(reply);
  const forgery = await findForgery(patch.bytes);
  if (forgery === undefined) return patch;
  return { bytes: new Uint8Array(), notes: [`The patch was refused: ${forgery}`, ...patch.notes] };
}

/**
 * What `patch` of python/rlm_kernel/patch.py wrote: a line of JSON, then the patch's bytes. It ran inside the sandbox,
 * so nothing of it is taken on trust.
 *
 * @throws TypedError `Sandbox.Lost` when it makes no sense: the sandbox's files cannot be read any more.
 */
function readPatch(reply: ProcessReply): Patch {
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
    return { size, notes: notes.slice(0, MAX_NOTES).map((note) => String(note).slice(0, 500)) };
  } catch {
    return undefined;
  }
}
