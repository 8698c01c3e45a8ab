/**
 * What a gigabyte of input costs: 100,000 documents sent to a kernel in each format, and the most memory that each
 * process held. `node bench/large-inputs.ts [documents] [bytes of a document]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InputVariable } from '../src/domain/kernel-protocol.ts';
import { parseType } from '../src/domain/signature/notation.ts';
import { buildKernelArchive } from '../src/sandbox/kernel-archive.ts';
import { connectKernel } from '../src/sandbox/kernel-client.ts';
import { findPython } from '../src/sandbox/kernel-python.ts';
import { sendInputs } from '../src/sandbox/send-inputs.ts';

const DOCUMENTS = Number(process.argv[2] ?? 100_000);
const SIZE = Number(process.argv[3] ?? 10_000);
const MIB = 1024 * 1024;

const FORMATS: readonly (readonly [InputVariable['format'], string])[] = [
  ['json', 'list[str]'],
  ['jsonl', 'list[{text: str}]'],
  ['text', 'str'],
];

function* content(format: InputVariable['format']): Generator<string> {
  const words = 'the count had a plan of which nobody knew, and a yacht; '
    .repeat(Math.ceil(SIZE / 56))
    .slice(0, SIZE - 8);
  for (let index = 0; index < DOCUMENTS; index += 1) {
    const text = `${index} ${words}`;
    const separator = index === 0 ? '[' : ',';
    if (format === 'json') yield `${separator}${JSON.stringify(text)}`;
    else if (format === 'jsonl') yield `${JSON.stringify({ text })}\n`;
    else yield `${text}\n`;
  }
  if (format === 'json') yield ']';
}

/** In pieces like those of a file. */
async function* bytes(format: InputVariable['format']): AsyncGenerator<Uint8Array> {
  let gathered = '';
  for (const part of content(format)) {
    gathered += part;
    if (gathered.length > 64 * 1024) {
      yield Buffer.from(gathered);
      gathered = '';
    }
  }
  yield Buffer.from(gathered);
}

/** The most resident memory a process has had, in MiB. */
function peak(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

async function measure(format: InputVariable['format'], type: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'large-inputs-'));
  const socketPath = join(folder, 'socket');
  const python = (await findPython()).path;
  const archive = await buildKernelArchive({ python, cacheDirectory: join(folder, 'cache') });
  const child = spawn(python, ['-s', archive, 'serve', '--socket', socketPath], { cwd: folder, stdio: 'inherit' });
  try {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = watch(folder, () => existsSync(socketPath) && resolve());
    if (existsSync(socketPath)) resolve();
    await promise;
    watcher.close();
    const kernel = connectKernel({ socketPath });
    const inputs: InputVariable[] = [{ name: 'documents', format, type: parseType(type) }];
    const info = await kernel.setup({ generation: 0, seed: 1, variables: {}, functions: [], cwd: folder, inputs });
    const start = performance.now();
    await sendInputs(kernel, info, inputs, () => bytes(format));
    const seconds = (performance.now() - start) / 1000;
    const repl = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]);
    console.log(
      `${format}: ${((DOCUMENTS * SIZE) / MIB).toFixed(0)} MiB in ${seconds.toFixed(1)} s; peak memory in MiB: ` +
        `client ${peak(process.pid)}, supervisor ${peak(child.pid ?? 0)}, REPL ${peak(repl)}`,
    );
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [format, type] of FORMATS) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other, so that each has the machine
  await measure(format, type);
}
