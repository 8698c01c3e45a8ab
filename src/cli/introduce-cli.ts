import { delimiter, join } from 'node:path';
import { writeCliProfile } from '../temporal/cli-profile.ts';
import type { DevServer } from '../temporal/dev-server.ts';
import { isExecutable } from '../temporal/find-python.ts';

/** One line for a person: how Temporal's own command line reaches the embedded server. Writes the profile that it names. */
export function introduceCli(
  { address, namespace, executable }: Pick<DevServer, 'address' | 'namespace' | 'executable'>,
  env: NodeJS.ProcessEnv,
): string {
  const temporal = isOnPath('temporal', env) ? 'temporal' : executable;
  const profile = writeCliProfile({ address, namespace }, env);
  if (profile.kind === 'ready')
    return `Temporal's own command line: ${temporal} --profile ${profile.name} workflow list`;
  return (
    `Temporal's own command line: ${temporal} --address ${address} --namespace ${namespace} workflow list ` +
    `(${profile.file} was left as it is: ${profile.why})`
  );
}

function isOnPath(name: string, env: NodeJS.ProcessEnv): boolean {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isExecutable(join(folder, name)));
}
