/**
 * `npm run daytona:here`: the real Daytona daemon behind a small control plane on this host, to try `provider: daytona`
 * by hand without an account. Prints what a worker needs in its environment; Ctrl-C ends it and all its sandboxes.
 */
import { once } from 'node:events';
import { rigIsHere, startRig } from '../test/sandbox/daytona/rig.ts';

if (rigIsHere()) {
  const rig = await startRig();
  for (const [name, value] of Object.entries(rig.environment)) console.log(`export ${name}=${value}`);
  console.log(
    '# Then, elsewhere: rlm run . -p "..." -c daytona.yaml, with sandbox: {provider: daytona} in it. Ctrl-C ends this.',
  );
  const alive = setInterval(() => undefined, 60_000);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  clearInterval(alive);
  await rig.close();
}
