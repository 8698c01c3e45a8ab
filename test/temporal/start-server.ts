/** A command in a process of its own: starts or attaches, tells, and stays until it is killed or told to release. */
import { startOrAttachDevServer } from '../../src/temporal/dev-server.ts';

const [stateDirectory = '', cacheDirectory = ''] = process.argv.slice(2);
const server = await startOrAttachDevServer({ stateDirectory, cacheDirectory });
process.stdout.write(`${JSON.stringify({ pid: server.process.pid, startedByUs: server.startedByUs })}\n`);
process.stdin.once('data', () => {
  void server.release({ wait: true }).then(() => process.exit(0));
});
