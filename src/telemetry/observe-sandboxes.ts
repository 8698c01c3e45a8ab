import { TypedError } from '../domain/failures.ts';
import type { Kernel, Sandbox, SandboxProvider } from '../sandbox/provider.ts';
import type { Listener } from './events.ts';
import { createDedupe } from './dedupe.ts';
import { wrap } from './wrap.ts';
import { currentActivityContext } from './activity-context.ts';
import type { Slots } from '../sandbox/slots.ts';

/**
 * The same provider; emits events for its sandboxes. A slot is held while a sandbox is created, and from the moment
 * its code starts until the code or its activity ends: code that waits for answers holds none.
 */
export function observeSandboxes(
  provider: SandboxProvider,
  { slots, tell }: { slots: Slots; tell: Listener },
): SandboxProvider {
  const isNew = createDedupe();
  const isLost = createDedupe();

  function lost(id: string, error: unknown): void {
    const place = currentActivityContext();
    if (!(error instanceof TypedError) || error.type !== 'Sandbox.Lost' || place === undefined || !isLost(id)) return;
    tell({ kind: 'sandbox lost', run: place.run, agent: place.agent, provider: provider.name, sandbox: id });
  }

  async function watching<T>(id: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      lost(id, error);
      throw error;
    }
  }

  function observeKernel(id: string, kernel: Kernel): Kernel {
    let release: (() => void) | undefined;
    const free = (): void => {
      release?.();
      release = undefined;
    };
    const place = currentActivityContext();
    place?.whenEnded.push(free);
    const working = async <T>(work: () => Promise<T>): Promise<T> => {
      if (place !== undefined) release ??= await slots.acquire();
      return watching(id, work);
    };
    return wrap(kernel, {
      info: () => watching(id, () => kernel.info()),
      setup: (request) => watching(id, () => kernel.setup(request)),
      exec: (request) => working(() => kernel.exec(request)),
      answer: (request) => working(() => kernel.answer(request)),
      async events(request, signal) {
        const reply = await watching(id, () => kernel.events(request, signal));
        if (reply.events.some(({ type }) => type === 'done')) free();
        return reply;
      },
      output: (request) => watching(id, () => kernel.output(request)),
      renew: () => watching(id, () => kernel.renew()),
    });
  }

  return wrap(provider, {
    async create(request, signal) {
      const release = await slots.acquire(signal);
      const started = performance.now();
      try {
        const handle = await provider.create(request, signal);
        if (isNew(handle.id)) {
          const { run, agent } = request.labels;
          const seconds = (performance.now() - started) / 1000;
          tell({ kind: 'sandbox created', run, agent, provider: provider.name, sandbox: handle.id, seconds });
        }
        return handle;
      } finally {
        release();
      }
    },
    async connect(handle): Promise<Sandbox> {
      const sandbox = await watching(handle.id, () => provider.connect(handle));
      return wrap(sandbox, {
        kernel: observeKernel(handle.id, sandbox.kernel),
        patch: (signal) => watching(handle.id, () => sandbox.patch(signal)),
      });
    },
  });
}
