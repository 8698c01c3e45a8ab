import { isSandboxLost } from '../domain/failures.ts';
import { wrap } from '../domain/wrap.ts';
import type { Kernel, SandboxProvider } from './provider.ts';
import type { Slots } from './slots.ts';

/**
 * Limits how many sandboxes work at the same time. A slot is held while a sandbox is created, and from the moment its
 * code starts until the code, the sandbox or its activity ends: code that waits for answers holds none.
 *
 * @param onActivityEnd calls its argument when the current activity ends; returns false outside of activities, whose
 *   code is not limited
 */
export function limitSandboxes(
  provider: SandboxProvider,
  slots: Slots,
  onActivityEnd: (release: () => void) => boolean,
): SandboxProvider {
  function limitKernel(kernel: Kernel): Kernel {
    let release: (() => void) | undefined;
    const free = (): void => {
      release?.();
      release = undefined;
    };
    const isLimited = onActivityEnd(free);
    // Its activity may go on with another sandbox: it must not wait for a slot that it has itself.
    const freedWhenLost = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (isSandboxLost(error)) free();
        throw error;
      }
    };
    const withSlot = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isLimited) release ??= await slots.acquire();
      return freedWhenLost(work);
    };
    return wrap(kernel, {
      exec: (request) => withSlot(() => kernel.exec(request)),
      answer: (request) => withSlot(() => kernel.answer(request)),
      async events(request, signal) {
        const reply = await freedWhenLost(() => kernel.events(request, signal));
        if (reply.events.some(({ type }) => type === 'done')) free();
        return reply;
      },
    });
  }

  return wrap(provider, {
    async create(request, signal) {
      const release = await slots.acquire(signal);
      try {
        return await provider.create(request, signal);
      } finally {
        release();
      }
    },
    async connect(handle) {
      const sandbox = await provider.connect(handle);
      return wrap(sandbox, { kernel: limitKernel(sandbox.kernel) });
    },
  });
}
