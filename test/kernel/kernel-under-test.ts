import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll } from 'vitest';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import type {
  BlockResult,
  CallEvent,
  EventsReply,
  ExecRequest,
  HostFunction,
  KernelInfo,
  SetupRequest,
  ReportDetails,
} from '../../src/domain/kernel-protocol.ts';
import { buildKernelArchive } from '../../src/sandbox/kernel-archive.ts';
import { connectKernel } from '../../src/sandbox/kernel-client.ts';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import type { Kernel } from '../../src/sandbox/provider.ts';

export interface KernelOptions {
  readonly generation?: number;
  readonly idleTimeout?: number;
  readonly memoryMb?: number;
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly setup?: boolean;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly functions?: readonly HostFunction[];
  readonly outputs?: SetupRequest['outputs'];
  readonly inputs?: SetupRequest['inputs'];
}

export const FUNCTIONS: readonly HostFunction[] = [
  { name: 'llm_query', parameters: [{ name: 'prompt', type: 'str' }], doc: 'Asks a model.' },
  { name: 'llm_query_batched', parameters: [{ name: 'prompts', type: 'list[str]' }], doc: 'Asks a model many times.' },
  {
    name: 'look_up',
    parameters: [
      { name: 'key', type: 'any' },
      { name: 'limit', type: 'any', default: 5 },
    ],
    doc: 'Looks something up.',
  },
  {
    name: 'rlm_query',
    parameters: [{ name: 'task', type: 'str' }],
    variables: 'one',
    reports: true,
    doc: 'A sub-agent.',
  },
  {
    name: 'rlm_query_batched',
    parameters: [{ name: 'tasks', type: 'list[str]' }],
    variables: 'each',
    reports: true,
    doc: 'Sub-agents.',
  },
];

let built: Promise<{ readonly python: string; readonly archive: string }> | undefined;
const cacheDirectory = join(tmpdir(), `kernel-test-archive-${process.pid}-${Date.now()}`);
afterAll(() => rmSync(cacheDirectory, { recursive: true, force: true }));

/** The kernel of all that a file tests. */
async function build(): Promise<{ readonly python: string; readonly archive: string }> {
  const python = process.env['KERNEL_TEST_PYTHON'] ?? (await findPython()).path;
  return { python, archive: await buildKernelArchive({ python, cacheDirectory }) };
}

/** An answer with reports that carry more than their text. */
export class ReportAnswer {
  readonly value: unknown;
  readonly reports: Readonly<Record<number, ReportDetails>>;

  constructor(value: unknown, reports: Readonly<Record<number, ReportDetails>>) {
    this.value = value;
    this.reports = reports;
  }
}

/** A kernel that runs as a plain process, its workspace and its client. KERNEL_TEST_PYTHON names its interpreter. */
export class KernelUnderTest {
  readonly kernel: Kernel;
  readonly socketPath: string;
  readonly workspace: string;
  readonly generation: number;
  readonly process: ChildProcess;
  readonly #folder: string;
  #stderr = '';
  #block = 0;

  private constructor(folder: string, process: ChildProcess, generation: number) {
    this.#folder = folder;
    this.workspace = join(folder, 'workspace');
    this.socketPath = join(folder, 'socket');
    this.process = process;
    this.generation = generation;
    this.kernel = connectKernel({ socketPath: this.socketPath });
    process.stderr?.on('data', (part: Buffer) => {
      this.#stderr += part.toString();
    });
  }

  static async start(options: KernelOptions = {}): Promise<KernelUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-test-'));
    chmodSync(folder, 0o777);
    mkdirSync(join(folder, 'workspace'));
    chmodSync(join(folder, 'workspace'), 0o777);
    const { python, archive: original } = await (built ??= build());
    // The cache is closed to other users; a sandbox is handed the archive by its launcher.
    const archive = join(folder, basename(original));
    copyFileSync(original, archive);
    chmodSync(archive, 0o644);
    const generation = options.generation ?? 0;
    const child = spawn(
      python,
      [
        ['-s', archive, 'serve', '--socket', join(folder, 'socket'), '--generation', String(generation)],
        ['--idle-timeout', String(options.idleTimeout ?? 120), '--memory-mb', String(options.memoryMb ?? 2048)],
      ].flat(),
      {
        cwd: join(folder, 'workspace'),
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', PYTHONHASHSEED: '0', ...options.env },
        stdio: ['ignore', 'ignore', 'pipe'],
        ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      },
    );
    const kernel = new KernelUnderTest(folder, child, generation);
    await kernel.#listening();
    if (options.setup !== false) {
      const { outputs, inputs } = options;
      const typed = { ...(outputs === undefined ? {} : { outputs }), ...(inputs === undefined ? {} : { inputs }) };
      await kernel.setup(options.variables, options.functions, typed);
    }
    return kernel;
  }

  async #listening(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watcher = watch(this.#folder, () => existsSync(this.socketPath) && resolve());
    this.process.once('exit', () => {
      reject(new Error(`the kernel ended: ${this.#stderr}`));
    });
    if (existsSync(this.socketPath)) resolve();
    await promise.finally(() => {
      watcher.close();
    });
  }

  /** What the supervisor complained about; nothing, unless it has a fault. */
  get complaints(): string {
    return this.#stderr;
  }

  setup(
    variables: Readonly<Record<string, unknown>> = { task: 'the task' },
    functions: readonly HostFunction[] = FUNCTIONS,
    typed: Pick<SetupRequest, 'outputs' | 'inputs'> = {},
  ): Promise<KernelInfo> {
    const { generation, workspace: cwd } = this;
    return this.kernel.setup({ generation, seed: 7, variables, functions, cwd, ...typed });
  }

  exec(code: string, options: Partial<ExecRequest> = {}): Promise<KernelInfo> {
    this.#block = options.block ?? this.#block + 1;
    return this.kernel.exec({
      generation: this.generation,
      block: this.#block,
      head: `head-${this.#block}`,
      code,
      timeout: 30,
      output_limit: DEFAULT_CONFIG.rlm.output_limit,
      ...options,
    });
  }

  events(after = 0, waitMs = 20_000): Promise<EventsReply> {
    return this.kernel.events({ block: this.#block, after, waitMs });
  }

  answer(answers: Readonly<Record<string, unknown>>): Promise<void> {
    return this.kernel.answer({
      generation: this.generation,
      block: this.#block,
      answers: Object.entries(answers).map(([call, value]) =>
        value instanceof ReportAnswer ? { call, value: value.value, reports: value.reports } : { call, value },
      ),
    });
  }

  /** Runs a block to its end; its calls are answered by `respond`, a round at a time. */
  async run(
    code: string,
    options: Partial<ExecRequest> = {},
    respond: (call: CallEvent) => unknown = (call) => `answer to ${String(Object.values(call.arguments)[0])}`,
  ): Promise<BlockResult> {
    await this.exec(code, options);
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- each poll continues the one before
      const reply = await this.events(after);
      after = reply.cursor;
      const answers: Record<string, unknown> = {};
      for (const event of reply.events) {
        if (event.type === 'done') return event.result;
        answers[event.call] = respond(event);
      }
      // oxlint-disable-next-line no-await-in-loop
      if (Object.keys(answers).length > 0) await this.answer(answers);
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
