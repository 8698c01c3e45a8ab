/** For tests that run it elsewhere: `report-isolation.ts FOLDER` prints what a worker there finds, as JSON. */
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { git, makeRepository, repositoryAt, sandboxRequest, shell } from './fixtures.ts';

const folder = process.argv[2] ?? '';
const provider = createLocalProvider({ stateDirectory: `${folder}/state`, cacheDirectory: `${folder}/cache` });
makeRepository(`${folder}/repository`, { a: 'a\n' });
git(folder, ['clone', '--quiet', '--depth=1', `file://${folder}/repository`, 'shallow']);
const isolation = await provider.checkIsolation({ install: false });
const outcome = await provider
  .create(sandboxRequest('somewhere', repositoryAt(`${folder}/shallow`)))
  .then(async (handle) => {
    const printed = await shell(
      await provider.connect(handle),
      'id -u; touch x; ls; git log --format=%s; git status --short',
    );
    await provider.destroy(handle);
    return printed;
  })
  .catch((error: Error) => `${error.name}: ${error.message}`);
await provider.close();
process.stdout.write(JSON.stringify({ isolation, outcome }));
