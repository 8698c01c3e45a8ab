import { describe, expect, it, vi } from 'vitest';
import { TypedError } from '../../src/domain/failures.ts';
import { limitSandboxes } from '../../src/sandbox/limit-sandboxes.ts';
import type { Kernel, SandboxProvider } from '../../src/sandbox/provider.ts';
import { createSlots } from '../../src/sandbox/slots.ts';

/** The methods of a kernel in which it can turn out that its sandbox is gone while its code has a slot. */
const METHODS = ['exec', 'events', 'answer'] as const;

const EXEC = { generation: 0, block: 1, head: '', code: 'x = 1', timeout: 1, output_limit: 1 };

function kernelThat(fails: (typeof METHODS)[number] | undefined): Kernel {
  const method = (name: (typeof METHODS)[number]) => () =>
    name === fails
      ? Promise.reject(new TypedError('Sandbox.Lost', 'It is gone.'))
      : Promise.resolve({ events: [], more: false });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that is used
  return Object.fromEntries(METHODS.map((name) => [name, method(name)])) as unknown as Kernel;
}

describe('a limit of sandboxes at work', () => {
  it.each(METHODS)(
    'frees the slot of one that turns out to be lost in %s: its activity makes another',
    async (name) => {
      const slots = createSlots(1);
      const kernels = [kernelThat(name), kernelThat(undefined)];
      const ends: (() => void)[] = [];
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that is used
      const provider = { connect: () => Promise.resolve({ kernel: kernels.shift() }) } as unknown as SandboxProvider;
      const limited = limitSandboxes(provider, slots, (release) => {
        ends.push(release);
        return true;
      });
      const handle = { provider: 'local', id: 'a', generation: 0 };
      const { kernel: lost } = await limited.connect(handle);
      const work = async (): Promise<void> => {
        await lost.exec(EXEC);
        await lost.events({ block: 1, after: 0, waitMs: 0 });
        await lost.answer({ generation: 0, block: 1, answers: [] });
      };
      await expect(work()).rejects.toThrow('It is gone.');
      await vi.waitFor(() => expect(slots.taken).toBe(0));
      const { kernel: another } = await limited.connect({ ...handle, generation: 1 });
      await another.exec(EXEC);
      expect(slots.taken).toBe(1);
      for (const end of ends) end();
      await vi.waitFor(() => expect(slots.taken).toBe(0));
    },
  );
});
