import module from 'node:module';

/** What a module with tools needs, and may take from this package where its own folder does not have it. */
const OWN = /^(zod|durable-rlm)(\/|$)/;

let isShared = false;

/** Lets a single file import `zod` and `durable-rlm` without a `node_modules` beside it. What is installed there comes first. */
export function shareOwnPackages(): void {
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- Node before 22.15 does not have it
  if (isShared || module.registerHooks === undefined) return;
  isShared = true;
  module.registerHooks({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!OWN.test(specifier)) throw error;
        return { url: import.meta.resolve(specifier), shortCircuit: true };
      }
    },
  });
}
