/** Reads inputs as the command line does, and shows what the variable holds without starting a Python for each. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { StoredInput } from '../../src/domain/inputs.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';
import { readInputs, type InputsRead } from '../../src/inputs/index.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

export type Content = string | Uint8Array;

export class Reading {
  readonly #root = mkdtempSync(join(tmpdir(), 'rlm-reading-'));
  readonly cwd = join(this.#root, 'files');
  readonly blobs = createFileBlobStore({ path: join(this.#root, 'blobs') });

  constructor() {
    mkdirSync(this.cwd);
  }

  write(files: Readonly<Record<string, Content>>): void {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.cwd, name)), { recursive: true });
      writeFileSync(join(this.cwd, name), content);
    }
  }

  read(inputs: string, given: readonly string[], stdin: Content = ''): Promise<InputsRead> {
    async function* once(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(stdin);
    }
    return readInputs(this.blobs, parseSignature(`${inputs} -> answer`), given, { cwd: this.cwd, stdin: once() });
  }

  /** The value of one input of a type, and what was said. */
  async value(
    type: string,
    given: string,
    stdin: Content = '',
  ): Promise<{ value: unknown; notes: readonly string[]; input: StoredInput }> {
    const { inputs, warnings } = await this.read(`value: ${type}`, [`value=${given}`], stdin);
    const [input] = inputs;
    if (input === undefined) throw new Error('nothing was stored');
    return { value: await this.held(input), notes: warnings, input };
  }

  /** The same of a file that is written first. */
  of(
    type: string,
    name: string,
    content: Content,
    options = '',
  ): Promise<{ value: unknown; notes: readonly string[]; input: StoredInput }> {
    this.write({ [name]: content });
    return this.value(type, `@${name}${options}`);
  }

  async refusal(inputs: string, given: readonly string[]): Promise<string> {
    return this.read(inputs, given).then(
      () => 'nothing was wrong',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  }

  async held({ ref, format }: Pick<StoredInput, 'ref' | 'format'>): Promise<unknown> {
    const text = Buffer.from(await this.blobs.get(ref)).toString('utf8');
    if (format === 'text') return text;
    if (format === 'json') return JSON.parse(text) as unknown;
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as unknown);
  }

  async names(input: StoredInput): Promise<unknown> {
    if (input.files === undefined) return undefined;
    return JSON.parse(Buffer.from(await this.blobs.get(input.files.ref)).toString('utf8')) as unknown;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
