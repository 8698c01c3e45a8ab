import { TypedError } from '../domain/failures.ts';
import type { Kernel, Sandbox, SandboxProvider } from '../sandbox/provider.ts';
import type { Listener } from './events.ts';
import { createDedupe } from './dedupe.ts';
import { wrap } from '../domain/wrap.ts';
import { currentActivityContext } from './activity-context.ts';

/** The same provider; emits events for its sandboxes. */
export function observeSandboxes(provider: SandboxProvider, tell: Listener): SandboxProvider {
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
    return wrap(kernel, {
      info: () => watching(id, () => kernel.info()),
      setup: (request) => watching(id, () => kernel.setup(request)),
      exec: (request) => watching(id, () => kernel.exec(request)),
      answer: (request) => watching(id, () => kernel.answer(request)),
      events: (request, signal) => watching(id, () => kernel.events(request, signal)),
      output: (request) => watching(id, () => kernel.output(request)),
      renew: () => watching(id, () => kernel.renew()),
    });
  }

  return wrap(provider, {
    async create(request, signal) {
      const started = performance.now();
      const handle = await provider.create(request, signal);
      if (isNew(handle.id)) {
        const { run, agent } = request.labels;
        const seconds = (performance.now() - started) / 1000;
        tell({ kind: 'sandbox created', run, agent, provider: provider.name, sandbox: handle.id, seconds });
      }
      return handle;
    },
    async connect(handle): Promise<Sandbox> {
      const sandbox = await watching(handle.id, () => provider.connect(handle));
      return wrap(sandbox, {
        kernel: observeKernel(handle.id, sandbox.kernel),
        patch: (signal, options) => watching(handle.id, () => sandbox.patch(signal, options)),
      });
    },
  });
}
