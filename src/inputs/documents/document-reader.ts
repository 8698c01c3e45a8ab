import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { BIG_INTEGER, type DocumentMessage, type DocumentRequest } from './kinds.ts';

/** What reading one document may take. */
export interface DocumentLimits {
  readonly memoryBytes: number;
  /** Until the next page or rows arrive. */
  readonly stepMs: number;
  /** Of texts and rows together, as JSON. */
  readonly outputBytes: number;
}

const LIMITS: DocumentLimits = { memoryBytes: 1536 * 1024 * 1024, stepMs: 60_000, outputBytes: 4 * 1024 ** 3 };

/** A document that cannot be read; the message says why: `it is protected by a password`. */
export class DocumentFault extends Error {}

type Child = ChildProcessByStdio<Writable, Readable, null>;

/**
 * Reads documents one after the other in a process of its own, which bad ones cannot make harm: it has no environment,
 * may write no file and start no program, and is killed when it takes too much time or memory.
 */
export class DocumentReader {
  readonly #limits: DocumentLimits;
  #child: { readonly process: Child; readonly lines: AsyncGenerator<string> } | undefined;

  constructor(limits: Partial<DocumentLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Its texts or rows, and in the end what is to be said of it.
   *
   * @throws DocumentFault
   */
  async *read(request: DocumentRequest): AsyncGenerator<DocumentMessage> {
    const { process: child, lines } = (this.#child ??= this.#start());
    const { stepMs, outputBytes } = this.#limits;
    let isLate = false;
    let size = 0;
    let isDone = false;
    try {
      // These two end lines for who reads it.
      child.stdin.write(`${JSON.stringify(request).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`);
      while (!isDone) {
        const timer = setTimeout(() => {
          isLate = true;
          child.kill('SIGKILL');
        }, stepMs);
        const next = await lines.next().finally(() => {
          clearTimeout(timer);
        });
        if (next.done === true)
          throw new DocumentFault(isLate ? `it took longer than ${stepMs / 1000} seconds` : this.#whyLost());
        size += next.value.length;
        if (size > outputBytes) throw new DocumentFault(`it holds more than ${outputBytes / 1024 ** 3} GiB`);
        const message = JSON.parse(next.value, revived) as DocumentMessage;
        if (message.kind === 'error') {
          isDone = true;
          throw new DocumentFault(message.message);
        }
        isDone = message.kind === 'end';
        yield message;
      }
    } finally {
      if (!isDone) this.close();
    }
  }

  close(): void {
    this.#child?.process.kill('SIGKILL');
    this.#child = undefined;
  }

  #whyLost(): string {
    return `reading it needs more than ${Math.round(this.#limits.memoryBytes / 1024 ** 2)} MB of memory, or it is damaged in a way that crashes its reader`;
  }

  #start(): { readonly process: Child; readonly lines: AsyncGenerator<string> } {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const script = fileURLToPath(new URL(`./process.${extension}`, import.meta.url));
    const { memoryBytes } = this.#limits;
    const child = spawn(process.execPath, [...restrictions(), script, String(memoryBytes)], {
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    // It ends when it likes; who reads its answers learns of that.
    child.stdin.on('error', () => {});
    child.on('error', () => {});
    return { process: child, lines: linesOf(child.stdout) };
  }
}

/** As far as this Node knows of permissions. */
export function restrictions(): string[] {
  const known = ['--permission', '--experimental-permission'].find((flag) =>
    process.allowedNodeEnvironmentFlags.has(flag),
  );
  return known === undefined ? [] : [known, '--allow-fs-read=*', '--allow-worker', '--no-warnings'];
}

function revived(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(BIG_INTEGER in value)) return value;
  return BigInt(String(value[BIG_INTEGER]));
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let parts: string[] = [];
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = chunk.split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      yield parts.join('') + line;
      parts = [];
    }
    parts.push(last);
  }
}
