/**
 * What large analyses cost: one batch of 5,000 prompts (undisturbed, and with the worker killed twice), and a gigabyte
 * of text in 100,000 documents from the folder to the agent's variable.
 *
 *     node bench/analyses/run.ts [--only prompts|gigabyte] [--prompts 5000] [--documents 100000] [--write]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheDirectory } from '../../src/config/directories.ts';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer } from '../../src/temporal/dev-server.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { spawnScriptedModel, type ScriptedModelProcess } from '../../src/testing/index.ts';
import { createDesk, type RunningCommand } from '../../test/e2e/command.ts';
import { describeMachine } from '../overhead/machine.ts';
import { writeResults } from '../results-file.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    prompts: { type: 'string', default: '5000' },
    documents: { type: 'string', default: '100000' },
    write: { type: 'boolean', default: false },
  },
});
const LATENCY = 200;
/** Bytes of a document. */
const SIZE = 10_000;
const TITLE = '# Large analyses';

const { facts } = await describeMachine([]);
const desk = await createDesk();
const model = await spawnScriptedModel({
  script: fileURLToPath(new URL('scripts.ts', import.meta.url)),
  latencyMs: LATENCY,
  idleExit: 900,
});
const report: string[] = [];
try {
  desk.configure(configuration(model));
  if (options.only !== 'gigabyte') report.push(...(await prompts()));
  if (options.only !== 'prompts') report.push(...(await gigabyte()));
} finally {
  await desk.close();
  await model.close();
}
const text = [TITLE, '', ...facts.slice(0, -1).map((fact) => `- ${fact}`), '', ...report].join('\n');
console.log(text);
if (options.write) writeResults(text);

function configuration({ url }: ScriptedModelProcess): string {
  const sandbox = 'sandbox: {memory_mb: 8000, block_timeout: 600}';
  return `model: {name: scripted, base_url: "${url}"}\nrlm: {max_llm_calls: 20000}\n${sandbox}\n`;
}

async function prompts(): Promise<string[]> {
  const count = Number(options.prompts);
  const rows: string[] = [];
  for (const kills of [0, 2]) {
    const before = await model.summary();
    const worker = await startWorker();
    const workers = [worker];
    const killed: Kill[] = [];
    const started = performance.now();
    const given = ['-i', `prompts=${count}`, '-i', `name=run ${kills}`, '--id', `prompts-${kills}`];
    const command = ['analyze', '-s', 'prompts: int, name -> right: int', ...given, '--no-worker', '--json'];
    const run = desk.start(command);
    for (let kill = 1; kill <= kills; kill += 1) {
      const asked = before.answered + Math.floor((count * kill) / (kills + 1));
      while ((await model.summary()).answered < asked) await delay(20);
      workers.at(-1)?.kill();
      await workers.at(-1)?.finished;
      killed.push({ at: Date.now(), recorded: await recordedPrompts(`prompts-${kills}`) });
      workers.push(await startWorker());
    }
    const { code, stdout, stderr } = await run.finished;
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) throw new Error(stderr);
    const { answer } = JSON.parse(stdout.toString()) as { answer: { right: number } };
    const after = await model.summary();
    const paid = after.answered - before.answered - 2;
    const again = await askedAgain(`run ${kills}`, killed);
    rows.push(
      `| ${count} | ${kills} | ${seconds.toFixed(1)} s | ${answer.right} | ${paid} | ${again} | ${after.peak} | ${peak(workers.at(-1))} MB |`,
    );
    workers.at(-1)?.kill();
    await workers.at(-1)?.finished;
  }
  return [
    `## One batch of ${count} prompts, ${LATENCY} ms each`,
    '',
    'From the command to its result, the start of the command and its first turns included. With kills: `kill -9` of the worker at one third and two thirds, and a new one each time. What the model answered beyond the number of prompts was on its way when a worker was killed.',
    '',
    '| prompts | kills | time | right answers | answers of the model | asked again though recorded | at most at once | worker, peak |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

interface Kill {
  readonly at: number;
  /** Prompts whose answers were in the blob store then. */
  readonly recorded: ReadonlySet<number>;
}

async function recordedPrompts(run: string): Promise<ReadonlySet<number>> {
  const names = await createFileBlobStore({ path: join(desk.state, 'blobs') }).listReferences(`journal/${run}@`);
  return new Set(names.map((name) => Number(name.split('.').at(-1))));
}

async function askedAgain(name: string, kills: readonly Kill[]): Promise<number> {
  const calls = (await model.calls()).flatMap(({ at, task }) => {
    const [, prompt] = /^prompt (\d+) of (.*)$/.exec(task)?.[2] === name ? (/^prompt (\d+)/.exec(task) ?? []) : [];
    return prompt === undefined ? [] : [{ at, prompt: Number(prompt) }];
  });
  if (calls.length === 0) throw new Error('the calls of the model are not known');
  return calls.filter(({ at, prompt }) => kills.some((kill) => at > kill.at && kill.recorded.has(prompt))).length;
}

async function gigabyte(): Promise<string[]> {
  const documents = Number(options.documents);
  const folder = join(desk.folder, 'documents');
  const words = 'the count had a plan of which nobody knew, and a yacht; '.repeat(SIZE / 50);
  for (let index = 0; index < documents; index += 1) {
    const part = join(folder, String(Math.floor(index / 1000)));
    if (index % 1000 === 0) mkdirSync(part, { recursive: true });
    writeFileSync(join(part, `${index}.txt`), `${index} ${words}`.slice(0, SIZE));
  }
  const worker = await startWorker();
  const started = performance.now();
  const signature = 'documents: list[str] -> count: int, characters: int, last: str';
  const command = [
    'analyze',
    '-s',
    signature,
    '-i',
    `documents=@${folder}`,
    '--id',
    'gigabyte',
    '--no-worker',
    '--json',
  ];
  const run = desk.start(command);
  const watched = { client: 0, worker: 0 };
  const watching = setInterval(() => {
    watched.client = Math.max(watched.client, peak(run));
    watched.worker = Math.max(watched.worker, peak(worker));
  }, 100);
  const { code, stdout, stderr } = await run.finished.finally(() => clearInterval(watching));
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(stderr);
  const { answer } = JSON.parse(stdout.toString()) as { answer: { count: number; characters: number } };
  const { stdout: told } = await desk.run(['status', 'gigabyte', '--json']);
  const history = await historySize();
  worker.kill();
  await worker.finished;
  const size = `${(answer.characters / 1e9).toFixed(2)} GB`;
  if (answer.count !== documents || told.length === 0) throw new Error('not all documents arrived');
  return [
    `## ${size} of text in ${documents} documents`,
    '',
    'From `rlm analyze -i documents=@folder` to its result: every file is read once, checked and stored, the blob is loaded into the sandbox, the code counts.',
    '',
    '| time | command, peak | worker, peak | history of the root agent |',
    '| --- | --- | --- | --- |',
    `| ${seconds.toFixed(1)} s | ${watched.client} MB | ${watched.worker} MB | ${history} |`,
    '',
  ];
}

async function historySize(): Promise<string> {
  const server = await startOrAttachDevServer({
    stateDirectory: desk.state,
    cacheDirectory: cacheDirectory(process.env),
  });
  const temporal = await connect(embeddedTarget(server));
  try {
    const [run, agent] = await Promise.all(
      ['gigabyte', 'gigabyte/0'].map((id) => temporal.client.workflow.getHandle(id).describe()),
    );
    return `${((run?.historySize ?? 0) / 1000).toFixed(1)} kB of the run, ${((agent?.historySize ?? 0) / 1000).toFixed(1)} kB`;
  } finally {
    await temporal.close();
    await server.release();
  }
}

async function startWorker(): Promise<RunningCommand> {
  const worker = desk.start(['up']);
  while (!worker.stderr().includes('Working on task queue')) await delay(20);
  return worker;
}

/** The most resident memory a process has had, in MB. */
function peak(command: RunningCommand | undefined): number {
  try {
    const status = readFileSync(`/proc/${command?.pid}/status`, 'utf8');
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000);
  } catch {
    return 0;
  }
}
