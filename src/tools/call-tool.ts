import { TypedError } from '../domain/failures.ts';
import { jsonResult, ResultError } from './json-result.ts';
import type { LoadedTool } from './tools.ts';

const MAX_MESSAGE_CHARACTERS = 2000;

/** One attempt of a call, as `Tools.call` describes it. */
export async function callTool(
  name: string,
  tool: LoadedTool,
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  const { timeout } = tool.description;
  const tooLate = new TypedError(
    'Tool.Failed',
    `${name} has no result after ${timeout} s, the time it has for a call.`,
  );
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(tooLate), timeout * 1000);
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    return jsonResult(await untilAborted(either, () => attempt(tool, args, either)));
  } catch (error) {
    either.throwIfAborted();
    throw failureOf(name, error);
  } finally {
    clearTimeout(timer);
    // The result of the tool is no longer awaited.
    ending.abort(new Error('the call is over'));
  }
}

async function attempt(
  tool: LoadedTool,
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<unknown> {
  return tool.run(await tool.check(args), signal);
}

/** Rejects when the signal is aborted, whether or not the work heeds it. */
async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, work()]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function failureOf(name: string, error: unknown): TypedError {
  if (error instanceof TypedError) {
    const apart = error.message.includes('\n') ? '\n' : ' ';
    return new TypedError(error.type, `${name}:${apart}${error.message}`, { cause: error });
  }
  if (error instanceof ResultError)
    return new TypedError('Tool.Refused', `${name}: ${error.message}.`, { cause: error });
  return new TypedError('Tool.Failed', `${name}: ${messageOf(error)}`, { cause: error });
}

/** What was thrown, in one line, with what caused it. */
export function messageOf(error: unknown): string {
  const messages: string[] = [];
  for (let each: unknown = error, depth = 0; each !== undefined && depth < 3; depth += 1) {
    const message = ownMessage(each).replaceAll(/\s+/g, ' ').trim();
    if (message !== '' && !messages.some((before) => before.includes(message))) messages.push(message);
    each = each instanceof Error ? each.cause : undefined;
  }
  const text = messages.join(': ').toWellFormed();
  if (text === '') return error instanceof Error ? error.name : 'it threw nothing that says why';
  return text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}...` : text;
}

function ownMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(ownMessage).join('; ');
  if (error instanceof Error) return error.message;
  if (typeof error === 'string') return error;
  try {
    return JSON.stringify(error) ?? '';
  } catch {
    return '';
  }
}
