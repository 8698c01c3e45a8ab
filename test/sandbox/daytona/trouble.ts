import { gunzipSync } from 'node:zlib';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, vi } from 'vitest';
import type { BlockResult } from '../../../src/domain/kernel-protocol.ts';
import { createDaytonaProvider } from '../../../src/sandbox/daytona/index.ts';
import type { Sandbox, SandboxProvider, SandboxRequest } from '../../../src/sandbox/provider.ts';
import { sweep, type SweepResult } from '../../../src/sandbox/sweep.ts';
import { LABELS, makeRepository, sandboxRequest, temporaryFolder, type TestRepository } from '../fixtures.ts';
import { startRig, type Fault, type Rig } from './rig.ts';

/** Milliseconds of a request, so that one that hangs does not hold up a test. */
export const REQUEST_TIMEOUT = 3_000;
const TROUBLE = 2_000;
const PACKED_DAEMON = fileURLToPath(new URL('../../../../shared/daytona/bin/daemon.gz', import.meta.url));

/** Milliseconds that a busy machine may need. */
export const PATIENCE = 60_000;
vi.setConfig({ testTimeout: 2 * PATIENCE });

/** A control plane of a test's own, to do wrong what it likes. */
export interface Trouble {
  readonly rig: Rig;
  readonly provider: SandboxProvider;
  /** As another worker would have it; closed with the test. */
  readonly another: () => SandboxProvider;
  readonly request: (more?: Partial<SandboxRequest>) => SandboxRequest;
  readonly make: (more?: Partial<SandboxRequest>) => Promise<{ readonly sandbox: Sandbox; readonly id: string }>;
  /** A sweep at a time when no agent runs any more. */
  readonly sweep: () => Promise<SweepResult>;
}

/** Runs tests beside each other, each with a daemon and control plane of its own; nothing may be left at their end. */
export function withTrouble(): (test: (trouble: Trouble) => Promise<void>) => () => Promise<void> {
  const folder = temporaryFolder();
  const daemon = `${folder.path}/daemon`;
  let repository: TestRepository | undefined;
  afterAll(() => folder.remove());

  return (test) => async () => {
    if (!existsSync(daemon)) writeFileSync(daemon, gunzipSync(readFileSync(PACKED_DAEMON)), { mode: 0o755 });
    repository ??= makeRepository(`${folder.path}/repository`, { 'a.py': 'x = 1\n' });
    const rig = await startRig('--reconcile-ms', '200', '--daemon', daemon);
    const trouble = createTrouble(rig, `${folder.path}/cache`, repository);
    try {
      await test(trouble);
      await rig.clearFaults();
      for (const { handle } of await trouble.provider.list()) await trouble.provider.destroy(handle);
      await untilNothingIsLeft(rig);
    } finally {
      await trouble.close();
      await rig.close();
    }
  };
}

/** By the control plane's own count. */
export async function untilNothingIsLeft(rig: Rig): Promise<void> {
  await vi.waitFor(async () => expect(await rig.existing(), 'sandboxes that are left').toBe(0), { timeout: PATIENCE });
}

function createTrouble(
  rig: Rig,
  cacheDirectory: string,
  repository: TestRepository,
): Trouble & { close(): Promise<void> } {
  const made: SandboxProvider[] = [];
  let count = 0;
  const another = (): SandboxProvider => {
    const provider = createDaytonaProvider({
      environment: rig.environment,
      cacheDirectory,
      owner: LABELS,
      requestTimeoutMs: REQUEST_TIMEOUT,
      troubleMs: TROUBLE,
    });
    made.push(provider);
    return provider;
  };
  const provider = another();
  const request = (more: Partial<SandboxRequest> = {}): SandboxRequest => {
    count += 1;
    return sandboxRequest(`fault-${count}`, repository, { create_timeout: 30, ...more });
  };
  return {
    rig,
    provider,
    another,
    request,
    async make(more) {
      const handle = await provider.create(request(more));
      return { sandbox: await provider.connect(handle), id: handle.id };
    },
    sweep: () =>
      sweep({
        provider,
        cluster: LABELS.cluster,
        namespace: LABELS.namespace,
        isOpen: () => Promise.resolve(false),
        log: () => undefined,
      }),
    async close() {
      await Promise.all(made.map((each) => each.close()));
    },
  };
}

/** Everything that a run asks of a sandbox. */
export async function wholeLife({ provider, another, request }: Trouble): Promise<void> {
  const handle = await provider.create(request());
  const elsewhere = another();
  const sandbox = await elsewhere.connect(handle);
  const result = await runBlock(sandbox, 1, 'open("a.py", "a").write("y = 2\\n"); print(2 * 21)');
  expect(result).toMatchObject({ status: 'ok', stdout: '42\n' });
  await sandbox.kernel.renew();
  expect(await sandbox.kernel.output({ block: 1, stream: 'stdout', offset: 0 })).toEqual(Buffer.from('42\n'));
  expect(Buffer.from(await patchInAttempts(sandbox)).toString()).toContain('+y = 2');
  expect((await elsewhere.list()).map(({ handle: { id } }) => id)).toContain(handle.id);
  await elsewhere.destroy(handle);
  await expect(sandbox.kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
}

/** As an activity: what may have run is tried again by whoever knows that this does no harm. */
async function patchInAttempts(sandbox: Sandbox): Promise<Uint8Array> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await sandbox.patch()).bytes;
    } catch (error) {
      if (attempt === 3 || !String(error).includes('it can be tried again')) throw error;
    }
  }
}

export async function startBlock(sandbox: Sandbox, block: number, code: string, timeout = 30): Promise<void> {
  const { kernel, workspace } = sandbox;
  if (block === 1) await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: workspace });
  await kernel.exec({ generation: 0, block, head: `head-${block}`, code, timeout, output_limit: 10_000 });
}

export async function runBlock(sandbox: Sandbox, block: number, code: string, timeout = 30): Promise<BlockResult> {
  await startBlock(sandbox, block, code, timeout);
  for (;;) {
    const { events } = await sandbox.kernel.events({ block, after: 0, waitMs: 10_000 });
    const done = events.find((event) => event.type === 'done');
    if (done !== undefined) return done.result;
  }
}

/** A request to create a sandbox. */
export const CREATE = { kind: 'api', method: 'POST', path: '/sandbox$' } as const satisfies Fault;
