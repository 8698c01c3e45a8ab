import type { Sandbox as Machine } from '@daytonaio/sdk';
import type { SandboxHandle } from '../../domain/sandbox.ts';
import { kernelOver } from '../kernel-client.ts';
import type { Kernel, Patch, PatchOptions, Sandbox } from '../provider.ts';
import { takePatch, type PatchPaths } from '../take-patch.ts';
import { retryUntil, deadlineIn } from './calls.ts';
import type { PreviewLink } from './preview-link.ts';

export interface DaytonaSandboxOptions {
  readonly handle: SandboxHandle;
  readonly machine: Machine;
  readonly link: PreviewLink;
  readonly paths: PatchPaths;
  readonly limitMs: number;
}

export class DaytonaSandbox implements Sandbox {
  readonly handle: SandboxHandle;
  readonly kernel: Kernel;
  readonly workspace: string;
  readonly #options: DaytonaSandboxOptions;
  #seen = performance.now();

  constructor(options: DaytonaSandboxOptions) {
    this.#options = options;
    this.handle = options.handle;
    this.workspace = options.paths.workspace;
    const kernel = kernelOver(options.link);
    this.kernel = { ...kernel, renew: async () => void (await Promise.all([kernel.renew(), this.#keep()])) };
  }

  markSeen(): void {
    this.#seen = performance.now();
  }

  /** Whether it answered a moment ago. */
  isFresh(milliseconds: number): boolean {
    return performance.now() - this.#seen < milliseconds;
  }

  patch(signal?: AbortSignal, options?: PatchOptions): Promise<Patch> {
    // By the label, which nothing inside can change.
    const commit = this.#options.machine.labels['rlm-commit'];
    return takePatch(this.kernel, this.#options.paths, commit, signal, options);
  }

  /** Daytona counts from anew until it would stop the sandbox, and, once a quarter is over, until it would remove it. */
  async #keep(): Promise<void> {
    const { machine, limitMs } = this.#options;
    const until = deadlineIn(limitMs);
    await retryUntil({ what: 'renew the sandbox', work: () => machine.refreshActivity(), limitMs }, until);
    const lifetime = Number(machine.labels['rlm-ttl']);
    const end = Date.parse(machine.autoDestroyAt ?? '');
    const left = (end - Date.now()) / 60_000;
    if (!(lifetime > 0) || Number.isNaN(left) || left > lifetime * 0.75) return;
    await retryUntil({ what: 'renew the sandbox', work: () => machine.setTtl(lifetime), limitMs }, until);
    await retryUntil({ what: 'find the sandbox', work: () => machine.refreshData(), limitMs }, until);
  }
}
