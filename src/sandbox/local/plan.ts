import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxRequest } from '../provider.ts';
import { INSIDE_INDEX, INSIDE_OBJECTS, type BaseCheckout } from './base-checkout.ts';
import type { KernelInterpreter } from './interpreters.ts';
import { launchSpec, sandboxEnvironment, WORKSPACE } from './launch-spec.ts';
import type { LaunchSpec } from './launcher.ts';
import { bootId, type Marks } from '../host/processes.ts';
import type { SandboxRecord } from './records.ts';

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
  readonly base: BaseCheckout | undefined;
}

export interface SandboxPlan {
  readonly record: SandboxRecord;
  readonly spec: LaunchSpec;
  /** Fills the sandbox's folder with what must be there before it starts. */
  prepare(folder: string): Promise<void>;
}

/** What is to be started for a request: decided before anything is done. */
export function planSandbox(plan: PlanRequest): SandboxPlan {
  return plan.bwrap === null ? planPlain(plan) : planIsolated(plan);
}

/**
 * By what the processes of a sandbox are told from all others: the path of the kernel's archive, which differs from
 * sandbox to sandbox for this reason, and without isolation a variable that they hand on.
 */
export function sandboxMarks(tag: string, id: string, folder: string): Marks {
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
  const { request, interpreter, base, folder } = plan;
  const kernel = `${insideFolder(plan.tag, plan.id)}/${interpreter.archiveName}`;
  const inside = {
    python: interpreter.path,
    kernel,
    workspace: WORKSPACE,
    scratch: '/run/rlm/scratch',
    ...(base === undefined ? {} : { objects: INSIDE_OBJECTS, index: INSIDE_INDEX }),
  };
  const spec = launchSpec({
    bwrap: plan.bwrap,
    interpreter,
    folder,
    read_only: [
      [interpreter.archive, kernel],
      ...(base === undefined
        ? []
        : ([
            [base.objects, INSIDE_OBJECTS],
            [base.index, INSIDE_INDEX],
          ] as const)),
    ],
    workspace: base === undefined ? { kind: 'empty' } : { kind: plan.overlay ? 'overlay' : 'copy', lower: base.tree },
    memory_mb: request.memory_mb,
    argv: serve(interpreter, kernel, request),
  });
  return { record: recordOf(plan, inside), spec, prepare: () => Promise.resolve() };
}

/** Everything lies in the sandbox's folder and goes with it. */
function planPlain(plan: PlanRequest): SandboxPlan {
  const { request, interpreter, base, folder } = plan;
  const kernel = join(folder, interpreter.archiveName);
  const workspace = join(folder, 'work');
  const inside = {
    python: interpreter.path,
    kernel,
    workspace,
    ...(base === undefined ? {} : { objects: base.objects, index: base.index }),
  };
  const spec = launchSpec({
    bwrap: null,
    interpreter,
    folder,
    workspace: base === undefined ? { kind: 'empty' } : { kind: 'copy', lower: base.tree },
    inside: workspace,
    memory_mb: request.memory_mb,
    argv: serve(interpreter, kernel, request),
    environment: {
      ...sandboxEnvironment(interpreter),
      PATH: process.env['PATH'] ?? sandboxEnvironment(interpreter)['PATH'] ?? '',
      HOME: join(folder, 'home'),
      TMPDIR: join(folder, 'tmp'),
      // Found by who ends it, also in processes that have left its group.
      [SANDBOX_VARIABLE]: `${folder}/`,
    },
  });
  return {
    record: recordOf(plan, inside),
    spec,
    prepare: async () => {
      await Promise.all([mkdir(join(folder, 'home')), mkdir(join(folder, 'tmp'))]);
      await symlink(interpreter.archive, kernel);
      await writeFile(join(folder, 'home', '.gitconfig'), '[user]\n\tname = agent\n\temail = agent@localhost\n');
    },
  };
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
    inside,
  };
}

function serve(interpreter: KernelInterpreter, kernel: string, request: SandboxRequest): string[] {
  const limits = ['--idle-timeout', String(request.idle_timeout), '--memory-mb', String(request.memory_mb)];
  const serving = ['serve', '--fd', '{socket}', '--generation', String(request.generation), ...limits];
  return [interpreter.path, ...interpreter.flags, kernel, ...serving];
}
