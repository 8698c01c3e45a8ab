/**
 * A run from a program: starts it, says how far it is, and prints its answer and its patch.
 *
 *     rlm up                                                        # in another window: server and worker
 *     node examples/investigate.ts <folder or URL> "<what is to be done>" [id]
 *
 * Stop this program at any moment: the run continues, and with the same id it is found again.
 */
import { readFile } from 'node:fs/promises';
import { connect, type ConfigInput } from 'durable-rlm';
import { parse } from 'yaml';

const [repo, prompt, id] = process.argv.slice(2);
if (repo === undefined || prompt === undefined) {
  console.error('Usage: node examples/investigate.ts <folder or URL> "<what is to be done>" [id]');
  process.exit(2);
}

const config: ConfigInput = parse(await readFile(process.env['RLM_CONFIG'] ?? 'examples/config.yaml', 'utf8'));
const client = await connect({ config, log: console.error });
try {
  const run = await client.start({ repo, prompt, ...(id === undefined ? {} : { id }) });
  for (const warning of run.warnings) console.error(warning);
  console.error(`Run ${run.id} ${run.isNew ? 'has started' : 'was there already'}.`);

  const progress = setInterval(() => void tellProgress(run.id).catch(console.error), 2000);
  const { status, answer, usage, error } = await run.result().finally(() => clearInterval(progress));

  console.error(`${status}, ${usage.llm_calls} model calls${error === null ? '' : `: ${error}`}`);
  console.log(answer);
  const patch = await client.patch(run.id);
  if (patch !== undefined) process.stdout.write(patch);
  process.exitCode = status === 'completed' ? 0 : 1;
} finally {
  await client.close();
}

async function tellProgress(run: string): Promise<void> {
  const { status, reason, snapshot } = await client.status(run);
  const agents = snapshot?.agents ?? [];
  const done = agents.filter(({ state }) => state === 'done').length;
  console.error(`${status}${reason === null ? '' : `: ${reason}`}; ${done} of ${agents.length} agents done`);
}
