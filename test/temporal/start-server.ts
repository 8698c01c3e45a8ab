/** A command in a process of its own: starts or attaches, connects, tells, and stays until it is killed or told to release. */
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer } from '../../src/temporal/dev-server.ts';

const [stateDirectory = '', cacheDirectory = '', executable] = process.argv.slice(2);
const options = executable === undefined ? {} : { executable };
const server = await startOrAttachDevServer({ stateDirectory, cacheDirectory, ...options });
const connected = await connect(embeddedTarget(server));
process.stdout.write(`${JSON.stringify({ pid: server.process.pid, startedByUs: server.startedByUs })}\n`);
process.stdin.once('data', () => {
  void connected
    .close()
    .then(() => server.release({ wait: true }))
    .then(() => process.exit(0));
});
