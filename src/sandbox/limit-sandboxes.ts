import { wrap } from '../domain/wrap.ts';
import type { Kernel, SandboxProvider } from './provider.ts';
import type { Slots } from './slots.ts';

/**
 * Limits how many sandboxes work at the same time. A slot is held while a sandbox is created, and from the moment its
 * code starts until the code or its activity ends: code that waits for answers holds none.
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
    const withSlot = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isLimited) release ??= await slots.acquire();
      return work();
    };
    return wrap(kernel, {
      exec: (request) => withSlot(() => kernel.exec(request)),
      answer: (request) => withSlot(() => kernel.answer(request)),
      async events(request, signal) {
        const reply = await kernel.events(request, signal);
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
