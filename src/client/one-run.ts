import { environmentOf, openClient, type ConnectOptions, type RlmClient } from './connect.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig } from '../config/load-config.ts';
import type { ToolDefinition } from '../tools/tool.ts';
import { checkKeys } from './check-models.ts';
import type { RunArguments } from './run-arguments.ts';
import type { AnalysisDocument, AnalysisRequest } from './analyses.ts';
import type { SignatureOutputs } from '../domain/signature/inference.ts';
import type { RunDocument } from '../results/run-document.ts';
import { describePendingFailure, isSameFailure, type PendingFailure } from './pending-failure.ts';
import { RunFailedError } from './run-failed.ts';

/** Of a run that is started, worked on and awaited by one call. */
export interface OneRunOptions extends ConnectOptions {
  /** False: workers elsewhere do the work. Default: this process does. */
  readonly worker?: boolean;
  /** Ends the waiting; the run continues where there is a worker. */
  readonly signal?: AbortSignal;
}

export interface OneAnalysisOptions extends OneRunOptions {
  /** Functions that the code may call, by the names it calls them by. */
  readonly tools?: Readonly<Record<string, ToolDefinition>>;
}

/** What came of an analysis that came to its end. */
export type AnalysisResult<Signature extends string = string> = AnalysisDocument<Signature> & {
  readonly answer: SignatureOutputs<Signature>;
};

/**
 * A typed analysis from beginning to end: connects, works on it in this process, and waits.
 *
 *     const { answer } = await analyze({
 *       signature: 'documents: list[str], question -> answer: str, sources: list[int]',
 *       inputs: { documents, question: 'What do they agree on?' },
 *     });
 *
 * With an `id` a program that was stopped continues where it was.
 *
 * @throws TypedError `Input.Invalid`, `Model.KeyMissing` before anything is spent; RunFailedError when it does not come to
 *   its end, or pauses: with its `id` it continues when the cause is gone
 */
export async function analyze<const Signature extends string>(
  request: AnalysisRequest<Signature> & OneAnalysisOptions,
): Promise<AnalysisResult<Signature>> {
  const { id, signature, instructions, descriptions, inputs, tools, ...options } = request;
  const analysis = { id, signature, instructions, descriptions, inputs };
  return withClient({ ...options, ...(tools === undefined ? {} : { tools }) }, async (client) => {
    const given = Object.fromEntries(Object.entries(analysis).filter(([, value]) => value !== undefined));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same fields without those left out
    const run = await client.analyze(given as unknown as AnalysisRequest<Signature>);
    const document = await untilEnded(client, run, options);
    if (document.status !== 'completed' || document.answer === null) throw new RunFailedError(document);
    return { ...document, answer: document.answer };
  });
}

/**
 * A run on a git repository from beginning to end: connects, works on it in this process, and waits.
 *
 * @throws TypedError `Input.Invalid`, `Repository.*` before anything is spent; RunFailedError when it does not come to
 *   its end
 */
export async function investigate(request: RunArguments & OneRunOptions): Promise<RunDocument> {
  const { id, repo, prompt, branch, commit, ...options } = request;
  return withClient(options, async (client) => {
    const run = await client.start({
      repo,
      prompt,
      ...(id === undefined ? {} : { id }),
      ...(branch === undefined ? {} : { branch }),
      ...(commit === undefined ? {} : { commit }),
    });
    const document = await untilEnded(client, run, options);
    if (document.status !== 'completed') throw new RunFailedError(document);
    return document;
  });
}

/** Between looks for a pause or a failure that is being retried. */
const POLL_INTERVAL_MS = 1000;

/** The end of a run. @throws RunFailedError when it pauses: no person is there to resume it */
async function untilEnded<Document extends { readonly status: RunDocument['status'] }>(
  client: RlmClient,
  run: { readonly id: string; result(signal?: AbortSignal): Promise<Document> },
  { signal, log = () => undefined }: OneRunOptions,
): Promise<Document> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const paused = untilPaused(client, run.id, { signal: either, log });
  try {
    const ended = await Promise.race([run.result(either), paused]);
    if (ended !== 'paused') return ended;
    throw new RunFailedError(await client.document(run.id));
  } finally {
    stop.abort();
  }
}

async function untilPaused(
  client: RlmClient,
  run: string,
  { signal, log }: { readonly signal: AbortSignal; readonly log: (line: string) => void },
): Promise<'paused'> {
  let logged: PendingFailure | null = null;
  for (;;) {
    try {
      await delay(POLL_INTERVAL_MS, undefined, { signal });
      if ((await client.status(run)).status === 'paused') return 'paused';
      const [failure = null] = await client.pendingFailures(run);
      if (failure !== null && !isSameFailure(failure, logged)) log(`${run}: ${describePendingFailure(failure)}`);
      logged = failure;
    } catch {
      // The wait for the result fails of the same cause, and reports it; or it has ended.
      if (signal.aborted) return new Promise(() => undefined);
    }
  }
}

async function withClient<T>(
  { worker: works = true, tools, ...options }: OneAnalysisOptions,
  work: (client: RlmClient) => Promise<T>,
): Promise<T> {
  const env = options.env ?? (await environmentOf(options.cwd ?? process.cwd(), options.log));
  if (works) checkKeys(parseConfig(options.config ?? {}), env);
  const client = await openClient({ ...options, env }, { asksForWorkers: !works });
  try {
    if (!works) return await work(client);
    const worker = await client.work({ servesOthers: false, ...(tools === undefined ? {} : { tools }) });
    const failed = worker.running.then(() => new Promise<never>(() => undefined));
    return await Promise.race([work(client), failed]);
  } finally {
    await client.close();
  }
}
