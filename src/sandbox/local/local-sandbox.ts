import type { SandboxHandle } from '../../domain/sandbox.ts';
import type { Kernel, Patch, PatchOptions, Sandbox } from '../provider.ts';
import { takePatch } from '../take-patch.ts';
import type { SandboxRecord } from './records.ts';

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

  patch(signal?: AbortSignal, options?: PatchOptions): Promise<Patch> {
    return takePatch(this.kernel, this.#record.inside, this.#record.commit, signal, options);
  }
}
