/** What the demos have in common. */
import { homedir } from 'node:os';
import type { ConfigInput } from '../../config/schema.ts';
import { TypedError } from '../../domain/failures.ts';
import { runIdProblem } from '../../domain/ids.ts';
import { CommandError } from '../report-error.ts';

/** Whatever a configuration file says of models does not count here; null stands for the default. */
export function scriptedModel(base_url: string): ConfigInput {
  const prices = { scripted: { input: 0, output: 0 } };
  const model = { name: 'scripted', sub_name: null, by_depth: null, api_key_env: null, base_url, prices };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- null is what YAML has for a setting left empty
  return { model } as unknown as ConfigInput;
}

/** @throws TypedError `Input.Invalid`, before anything is started under a name that cannot be */
export function checkedId(id: string | undefined): string | undefined {
  const problem = id === undefined ? undefined : runIdProblem(id);
  if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
  return id;
}

export function checkedLatency(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new CommandError(`--latency takes milliseconds such as 300, not "${text}".`);
  return Number(text);
}

/** As a shell would read it. */
export function atHome(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
