import { randomBytes } from 'node:crypto';
import type { Sandbox } from '@daytonaio/sdk';
import { TypedError } from '../../domain/failures.ts';
import type { ProcessRequest } from '../../domain/kernel-protocol.ts';
import { parseReply, processReply } from '../kernel-replies.ts';
import type { SandboxRequest } from '../provider.ts';
import { isInRepository } from '../setup.ts';
import type { PatchPaths } from '../take-patch.ts';
import { describeError, retryUntil, DaytonaTimeoutError, sleep, statusOf, type Deadline } from './calls.ts';
import { memoryLimit } from './creation.ts';
import type { Parts } from './parts.ts';
import { KERNEL_PORT, type PreviewLink } from './preview-link.ts';
import { remoteSetup, SETUP_FAILED, setupFailure } from './remote-setup.ts';
import type { Delivery } from './repository.ts';

/** The places for a clone, best first; the first that can be made counts. */
const WORKSPACES = ['/workspace', '~/workspace'];
/** Milliseconds one request waits for the kernel to come up: its port takes connections before. */
const READY_WAIT_MS = 20_000;
/** Milliseconds after which a kernel that was started and cannot be reached has not come up. */
const COMING_UP_MS = 5_000;
const SMALL = 64 * 1024;

export interface Preparation {
  readonly sandbox: Sandbox;
  readonly link: PreviewLink;
  readonly parts: Parts;
  readonly request: SandboxRequest;
  /** Absent without a repository. */
  readonly delivery: Delivery | undefined;
  readonly limitMs: number;
}

/** What the program that prepares a sandbox ended with: the exit codes of `python/rlm_remote/prepare.py`. */
export class PreparationFailure extends Error {
  readonly kind: 'no commit' | 'no network' | 'used' | 'unsuitable' | 'other';

  constructor(code: number, message: string) {
    super(message);
    this.kind = KINDS[code] ?? 'other';
  }
}

const KINDS: Readonly<Record<number, PreparationFailure['kind']>> = {
  3: 'no commit',
  4: 'no network',
  5: 'used',
  6: 'unsuitable',
  127: 'unsuitable',
};

/**
 * Sends a started sandbox what it needs, has it make its clone and start its kernel, and waits until that answers. Where
 * another has done so, or is at it, this only waits.
 *
 * @throws PreparationFailure; what the SDK throws where the sandbox cannot be spoken to.
 */
export async function prepareSandbox(preparation: Preparation, until: Deadline): Promise<PatchPaths> {
  const session = `rlm-${randomBytes(8).toString('hex')}`;
  const folder = `/tmp/durable-${session}`;
  await upload(preparation, folder, until);
  const command = await start(preparation, session, folder, until);
  return untilReady(preparation, { session, command }, until);
}

async function upload(preparation: Preparation, folder: string, until: Deadline): Promise<void> {
  const { sandbox, parts, request, delivery } = preparation;
  const repository = delivery?.kind === 'file' ? { bundle: 'repository.bundle' } : delivery;
  const setup = remoteSetup(request);
  const spec = {
    generation: request.generation,
    idle_timeout: request.idle_timeout,
    memory_mb: memoryLimit(request, sandbox),
    workspaces: WORKSPACES,
    ...(repository === undefined ? {} : { ...repository, commit: request.repository?.commit }),
    ...(setup === undefined ? {} : { setup: setup.spec }),
  };
  const files = [
    { source: parts.program, destination: `${folder}/prepare.py` },
    { source: parts.archive, destination: `${folder}/parts.json.gz` },
    { source: Buffer.from(JSON.stringify(spec)), destination: `${folder}/spec.json` },
    ...(delivery?.kind === 'file' ? [{ source: delivery.path, destination: `${folder}/repository.bundle` }] : []),
  ];
  // A large repository over a slow line: bounded by the time for all of it.
  const limitMs = Math.max(preparation.limitMs, until.deadline - performance.now());
  const work = (): Promise<void> => sandbox.fs.uploadFiles(files, Math.ceil(limitMs / 1000));
  await retryUntil({ what: 'take the files of the sandbox', work, limitMs }, until);
}

/** Begins it, and does not wait; its name within the session. */
async function start(
  { sandbox, request, limitMs }: Preparation,
  session: string,
  folder: string,
  until: Deadline,
): Promise<string> {
  const open = async (): Promise<void> => {
    try {
      await sandbox.process.createSession(session);
    } catch (error) {
      if (statusOf(error) !== 409) throw error; // It is there: the answer to an earlier request was lost.
    }
  };
  await retryUntil({ what: 'open a session in the sandbox', work: open, limitMs }, until);
  const preferred = isInRepository(request.python) ? undefined : request.python;
  const find = `python=${shellQuoted(preferred ?? 'python3')}; test -d "$python" && python="$python/bin/python"`;
  const command = `${find}; "$python" -I ${folder}/prepare.py ${folder} ${KERNEL_PORT} < /dev/null`;
  const run = (): ReturnType<Sandbox['process']['executeSessionCommand']> =>
    sandbox.process.executeSessionCommand(session, { command, runAsync: true }, Math.ceil(limitMs / 1000));
  const { cmdId } = await retryUntil({ what: 'start a command in the sandbox', work: run, limitMs }, until);
  return cmdId;
}

interface Started {
  readonly session: string;
  readonly command: string;
}

async function untilReady(preparation: Preparation, started: Started, until: Deadline): Promise<PatchPaths> {
  let exitedAt: number | undefined;
  for (let pause = 25; ; pause = Math.min(500, pause * 1.5)) {
    try {
      return await readPaths(preparation.link, until);
    } catch (error) {
      until.signal?.throwIfAborted();
      if (error instanceof TypedError) throw error;
      if (performance.now() + pause >= until.deadline) {
        throw new DaytonaTimeoutError(`The sandbox's kernel did not come up in time: ${describeError(error)}`, {
          cause: error,
        });
      }
      const exit = await exitCode(preparation, started, until);
      if (exit !== undefined && exit !== 0) throw await failure(preparation, started, exit, until);
      if (exit === 0) exitedAt ??= performance.now();
      if (exitedAt !== undefined && performance.now() - exitedAt > COMING_UP_MS) {
        throw new PreparationFailure(1, `the kernel was started and does not answer: ${describeError(error)}`);
      }
      await sleep(pause, until.signal);
    }
  }
}

/** What `prepare.py` wrote down for us. It answers as soon as the kernel is up. */
export async function readPaths(link: PreviewLink, until: Deadline): Promise<PatchPaths> {
  const body: ProcessRequest = { argv: ['sh', '-c', 'cat "$HOME/.durable-rlm/ready.json"'], timeout: 10 };
  const timeoutMs = Math.max(1, Math.min(READY_WAIT_MS, until.deadline - performance.now()));
  const common = { method: 'POST', path: '/v1/process', replyLimit: SMALL, idempotent: true } as const;
  const reply = processReply(parseReply(await link.once({ ...common, body, timeoutMs, signal: until.signal })));
  return parsePaths(Buffer.from(reply.stdout, 'base64').toString('utf8'));
}

/** It comes out of a sandbox, and is only used inside of it. */
function parsePaths(text: string): PatchPaths {
  const value: unknown = parseJson(text);
  const read = (name: string): string | undefined => {
    const path: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    return typeof path === 'string' && path.startsWith('/') && path.length < 4096 ? path : undefined;
  };
  const names = ['python', 'kernel', 'workspace', 'objects', 'index', 'setup'];
  const [python, kernel, workspace, objects, index, setup] = names.map(read);
  if (python === undefined || kernel === undefined || workspace === undefined) {
    throw new TypedError('Sandbox.Lost', 'The sandbox has lost the files it was made with.');
  }
  const clone = objects === undefined || index === undefined ? {} : { objects, index };
  return { python, kernel, workspace, ...clone, ...(setup === undefined ? {} : { setup }) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined while it runs. */
async function exitCode(
  { sandbox, limitMs }: Preparation,
  { session, command }: Started,
  until: Deadline,
): Promise<number | undefined> {
  const work = (): ReturnType<Sandbox['process']['getSessionCommand']> =>
    sandbox.process.getSessionCommand(session, command);
  const { exitCode: code } = await retryUntil({ what: 'tell of the preparation', work, limitMs }, until);
  return code ?? undefined;
}

async function failure(
  { sandbox, request, limitMs }: Preparation,
  { session, command }: Started,
  code: number,
  until: Deadline,
): Promise<Error> {
  const work = (): Promise<{ stdout?: string; stderr?: string; output?: string }> =>
    sandbox.process.getSessionCommandLogs(session, command);
  const logs = await retryUntil({ what: 'tell why the preparation failed', work, limitMs }, until);
  const all = (logs.stderr || logs.output || logs.stdout || '').trim();
  if (code === SETUP_FAILED) return setupFailure(request, all.split('\n').at(-1) ?? '');
  const said = all.slice(-2000);
  return new PreparationFailure(code, said.replaceAll(/\p{Cc}+/gu, ' ') || `exit code ${code}`);
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
