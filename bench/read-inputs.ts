/**
 * What it costs to store a gigabyte of inputs: files of a folder, and single files of each format, in the file blob
 * store; seconds, and the most memory that this process has held more than at its start.
 * `node bench/read-inputs.ts [documents] [bytes of a document] [beginning of a case's name]`
 */
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseSignature } from '../src/domain/signature/notation.ts';
import { inputsNeed, readInputs } from '../src/inputs/index.ts';
import { createFileBlobStore } from '../src/storage/file-blob-store.ts';

const DOCUMENTS = Number(process.argv[2] ?? 100_000);
const SIZE = Number(process.argv[3] ?? 10_000);
const ONLY = process.argv[4] ?? '';
const MIB = 1024 * 1024;

const root = mkdtempSync(join(process.env['BENCH_FOLDER'] ?? tmpdir(), 'rlm-read-inputs-'));
const words = 'der Graf hatte einen Plan, "von dem niemand wußte", und eine Yacht; '
  .repeat(Math.ceil(SIZE / 60))
  .slice(0, SIZE - 100);

const SINGLE: readonly (readonly [name: string, type: string, piece: (index: number) => string, end: string])[] = [
  ['text.txt', 'str', (index) => `${index} ${words}\n`, ''],
  ['lines.jsonl', 'list[{text: str}]', (index) => `${JSON.stringify({ text: `${index} ${words}` })}\n`, ''],
  ['list.json', 'list[str]', (index) => `${index === 0 ? '[' : ',\n'}${JSON.stringify(`${index} ${words}`)}`, ']'],
  [
    'rows.csv',
    'list[{id: int, text: str}]',
    (index) => `${index === 0 ? 'id,text\n' : ''}${index},"${words.replaceAll('"', '""')}"\n`,
    '',
  ],
];

/** Resident memory, in MiB: now, and at its most. */
function memory(): { readonly now: number; readonly most: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}

async function measure(label: string, type: string, path: string): Promise<void> {
  if (!label.startsWith(ONLY)) return;
  const blobs = createFileBlobStore({ path: join(root, 'blobs') });
  writeFileSync('/proc/self/clear_refs', '5');
  const before = memory().now;
  const start = performance.now();
  const { inputs } = await readInputs(blobs, parseSignature(`value: ${type} -> answer`), [`value=@${path}`], {
    cwd: root,
    stdin: Readable.from([]),
  });
  const seconds = (performance.now() - start) / 1000;
  const size = inputs[0]?.size ?? 0;
  console.log(
    `${label}: ${(size / MIB).toFixed(0)} MiB in ${seconds.toFixed(1)} s; ` +
      `memory ${(memory().most - before).toFixed(0)} MiB above ${before.toFixed(0)}; needs ${inputsNeed(inputs)} MB`,
  );
  rmSync(join(root, 'blobs'), { recursive: true, force: true });
}

try {
  for (const [name, type, piece, end] of SINGLE) {
    if (!name.startsWith(ONLY)) continue;
    const content = function* (): Generator<string> {
      for (let index = 0; index < DOCUMENTS; index += 1) yield piece(index);
      yield end;
    };
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await pipeline(Readable.from(content(), { objectMode: true }), createWriteStream(join(root, name)));
    // oxlint-disable-next-line no-await-in-loop
    await measure(name, type, name);
    rmSync(join(root, name));
  }
  for (let index = 0; index < DOCUMENTS; index += 1) {
    const folder = join(root, 'documents', String(index % 100));
    if (index < 100) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `document${index}.txt`), `${index} ${words}`);
  }
  await measure('folder, list[str]', 'list[str]', 'documents');
  await measure('folder, dict[str, str]', 'dict[str, str]', 'documents');
  await measure('pattern, list[dict]', 'list[dict]', 'documents/**/*.txt');
} finally {
  rmSync(root, { recursive: true, force: true });
}
