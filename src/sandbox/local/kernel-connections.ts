import { closeSync, constants, openSync } from 'node:fs';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { connectKernel } from '../kernel-client.ts';
import type { Kernel } from '../provider.ts';

/** Linux: a descriptor that only names a place. Node has no constant for it. */
const O_PATH = 0o10000000;

/**
 * Kernels by the id of their sandbox. Their sockets are reached through a descriptor of the folder that holds all
 * sandboxes: its own path may be longer than the 107 bytes a socket's path may have, and cannot be changed meanwhile.
 */
export class KernelConnections {
  readonly #directory: string;
  readonly #kernels = new Map<string, Kernel>();
  #descriptor: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  open(id: string): Kernel {
    const known = this.#kernels.get(id);
    if (known !== undefined) return known;
    const kernel = connectKernel({ socketPath: `/proc/self/fd/${this.#folder()}/${id}/k` });
    this.#kernels.set(id, kernel);
    return kernel;
  }

  forget(id: string): void {
    this.#kernels.delete(id);
  }

  close(): void {
    this.#kernels.clear();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #folder(): number {
    if (this.#descriptor === undefined) {
      makePrivateFolder(this.#directory);
      this.#descriptor = openSync(this.#directory, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    }
    return this.#descriptor;
  }
}
