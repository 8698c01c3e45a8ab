import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { describeProvider, type ProviderUnderTest } from './conformance.ts';
import { temporaryFolder } from './fixtures.ts';

function start(isolation: ProviderUnderTest['isolation']): () => Promise<ProviderUnderTest> {
  return () => {
    const folder = temporaryFolder();
    const another = (): ReturnType<typeof createLocalProvider> =>
      createLocalProvider({ stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` });
    const provider = another();
    return Promise.resolve({
      provider,
      another,
      isolation,
      close: async () => {
        await provider.close();
        folder.remove();
      },
    });
  };
}

describeProvider('local sandboxes under bubblewrap', start('bubblewrap'));
describeProvider('local sandboxes without isolation', start('none'));
