import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxRequest } from '../provider.ts';
import { INSIDE_INDEX, INSIDE_OBJECTS, type BaseCheckout } from './base-checkout.ts';
import type { KernelInterpreter } from './interpreters.ts';
import { HOME, launchSpec, sandboxEnvironment, WORKSPACE, type SpecRequest } from './launch-spec.ts';
import type { Launcher, LaunchSpec } from './launcher.ts';
import { BASELINE, plainEnvironment, setUpInFolder } from './plain-setup.ts';
import { INSIDE_SETUP, type SetupLayer } from './setup-layers.ts';
import { bootId, type Marks } from '../host/processes.ts';
import type { SandboxRecord } from './records.ts';
import { networkView } from './sandbox-networks.ts';

export interface PlanRequest {
  readonly request: SandboxRequest;
  readonly id: string;
  /** Names the state directory, so that sandboxes of another one with the same id are not taken for ours. */
  readonly tag: string;
  readonly folder: string;
  /** Null: no isolation. */
  readonly bwrap: string | null;
  readonly overlay: boolean;
  readonly interpreter: KernelInterpreter;
  /** Absent without a repository. */
  readonly clone: BaseCheckout | SetupLayer | undefined;
  readonly launcher: Launcher;
}

export interface SandboxPlan {
  readonly record: SandboxRecord;
  /** Fills the sandbox's folder with what must be there before it starts, and says what to start. */
  prepare(signal: AbortSignal | undefined): Promise<LaunchSpec>;
}

/** What is to be started for a request: decided before anything is done. */
export function planSandbox(plan: PlanRequest): SandboxPlan {
  return plan.bwrap === null ? planPlain(plan) : planIsolated(plan);
}

/**
 * By what the processes of a sandbox are told from all others: the path of the kernel's archive, which differs from
 * sandbox to sandbox for this reason, and without isolation a variable that they hand on.
 */
export function processMatchers(tag: string, id: string, folder: string): Marks {
  return {
    commandLine: [`${insideFolder(tag, id)}/`, join(folder, 'kernel-')],
    environment: [`${SANDBOX_VARIABLE}=${folder}/`],
  };
}

const SANDBOX_VARIABLE = 'RLM_SANDBOX';

function insideFolder(tag: string, id: string): string {
  return `/run/rlm/${tag}/${id}`;
}

function planIsolated(plan: PlanRequest): SandboxPlan {
  const { request, interpreter, clone } = plan;
  const at = (archiveName: string): string => `${insideFolder(plan.tag, plan.id)}/${archiveName}`;
  const inside = {
    // Not the clone's own, which the code can break: the patch is still to be had.
    python: interpreter.path,
    kernel: at(interpreter.archiveName),
    workspace: WORKSPACE,
    scratch: '/run/rlm/scratch',
    ...(clone === undefined ? {} : { objects: INSIDE_OBJECTS }),
    ...(clone === undefined || 'lower' in clone
      ? {}
      : { index: INSIDE_INDEX, ...(plan.overlay ? { changes: '/run/rlm/changes' } : {}) }),
    ...(clone === undefined || !('lower' in clone) ? {} : { setup: INSIDE_SETUP }),
  };
  const served = clone !== undefined && 'lower' in clone ? clone.interpreter : interpreter;
  const archives = new Map([interpreter, served].map(({ archive, archiveName }) => [at(archiveName), archive]));
  const kind = plan.overlay ? 'overlay' : 'copy';
  const shown = showClone(clone, kind);
  const network = networkView(plan.folder, request.network ?? []);
  const spec = launchSpec({
    bwrap: plan.bwrap,
    interpreter: served,
    folder: plan.folder,
    ...shown,
    environment: { ...(shown.environment ?? sandboxEnvironment(served)), ...network.environment },
    read_only: [
      ...[...archives].map(([path, archive]) => [archive, path] as const),
      ...shown.read_only,
      ...network.read_only,
    ],
    memory_mb: request.memory_mb,
    argv: [...serve(served, at(served.archiveName), request), ...network.arguments],
  });
  return { record: recordOf(plan, inside), prepare: () => Promise.resolve(spec) };
}

function showClone(
  clone: PlanRequest['clone'],
  kind: 'overlay' | 'copy',
): Pick<SpecRequest, 'workspace' | 'environment'> & { readonly read_only: LaunchSpec['read_only'] } {
  if (clone === undefined) return { workspace: { kind: 'empty' }, read_only: [] };
  const objects = [clone.objects, INSIDE_OBJECTS] as const;
  if (!('lower' in clone)) {
    return { workspace: { kind, lower: clone.tree }, read_only: [objects, [clone.index, INSIDE_INDEX]] };
  }
  const folders = [['tree', WORKSPACE] as const, ['home', HOME] as const];
  return {
    workspace: { kind, lower: clone.lower, folders },
    read_only: [objects, [clone.baseline, INSIDE_SETUP]],
    environment: { ...sandboxEnvironment(clone.interpreter), ...clone.environment },
  };
}

/** Everything lies in the sandbox's folder and goes with it. */
function planPlain(plan: PlanRequest): SandboxPlan {
  const { request, interpreter, clone, folder } = plan;
  if (clone !== undefined && 'lower' in clone) throw new Error('without isolation a clone cannot lie on a setup');
  const kernel = join(folder, interpreter.archiveName);
  const workspace = join(folder, 'work');
  const isSetUp = clone !== undefined && request.setup !== undefined;
  const inside = {
    python: interpreter.path,
    kernel,
    workspace,
    ...(clone === undefined ? {} : { objects: clone.objects, index: clone.index }),
    ...(isSetUp ? { setup: join(folder, BASELINE) } : {}),
  };
  const environment = {
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    // Found by who ends it, also in processes that have left its group.
    [SANDBOX_VARIABLE]: `${folder}/`,
  };
  return {
    record: recordOf(plan, inside),
    prepare: async (signal) => {
      await Promise.all([mkdir(environment.HOME), mkdir(environment.TMPDIR)]);
      await symlink(interpreter.archive, kernel);
      await writeFile(join(folder, 'home', '.gitconfig'), '[user]\n\tname = agent\n\temail = agent@localhost\n');
      const own = isSetUp ? await setUpInFolder({ ...plan, ...request, clone, environment }, signal) : undefined;
      const served = own?.interpreter ?? interpreter;
      return launchSpec({
        bwrap: null,
        interpreter: served,
        folder,
        workspace: plainWorkspace(clone, workspace, isSetUp),
        inside: workspace,
        memory_mb: request.memory_mb,
        argv: serve(served, own === undefined ? kernel : served.archive, request),
        environment: { ...plainEnvironment(served), ...environment, ...own?.environment },
      });
    },
  };
}

function plainWorkspace(clone: BaseCheckout | undefined, path: string, isThere: boolean): SpecRequest['workspace'] {
  if (isThere) return { kind: 'bind', path };
  return clone === undefined ? { kind: 'empty' } : { kind: 'copy', lower: clone.tree };
}

function recordOf(plan: PlanRequest, inside: SandboxRecord['inside']): SandboxRecord {
  const { request } = plan;
  return {
    v: 1,
    id: plan.id,
    name: request.name,
    generation: request.generation,
    labels: request.labels,
    isolation: request.isolation,
    boot: bootId(),
    created: new Date().toISOString(),
    ...(request.repository === undefined ? {} : { commit: request.repository.commit }),
    ...(request.network === undefined || request.isolation === 'none' ? {} : { network: request.network }),
    inside,
  };
}

function serve(interpreter: KernelInterpreter, kernel: string, request: SandboxRequest): string[] {
  const limits = ['--idle-timeout', String(request.idle_timeout), '--memory-mb', String(request.memory_mb)];
  const serving = ['serve', '--fd', '{socket}', '--generation', String(request.generation), ...limits];
  return [interpreter.path, ...interpreter.flags, kernel, ...serving];
}
