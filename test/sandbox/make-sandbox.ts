/**
 * Begins a sandbox whose setup is one command, for tests that run this as another user: `make-sandbox.ts FOLDER ISOLATION
 * COMMAND SECRET`, with the name of the variable that holds the secret.
 */
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { makeRepository, sandboxRequest } from './fixtures.ts';

const [, , folder = '', isolation = '', command = '', secret = ''] = process.argv;
const provider = createLocalProvider({
  stateDirectory: `${folder}/state`,
  cacheDirectory: `${folder}/cache`,
  log: () => undefined,
});
const repository = makeRepository(`${folder}/repository`, { a: 'a\n' });
const environment = { INDEX_TOKEN: process.env[secret] ?? '' };
const setup = { commands: [command], timeout: 60, environment };
// With a virtual environment of its own, so that none is made before the command.
const request = { setup, python: '.venv', isolation: isolation === 'none' ? 'none' : 'bubblewrap' } as const;
try {
  await provider.create(sandboxRequest('secret', repository, request));
} catch (error) {
  // The test ends the command when it has seen what it came for.
  if (!String(error).includes('was killed by signal 9')) throw error;
} finally {
  await provider.close();
}
