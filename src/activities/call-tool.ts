import { activityInfo } from '@temporalio/activity';
import type { CallToolInput, CallToolResult } from '../domain/contract.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';
import type { CallRequest } from '../domain/records.ts';
import type { ToolDescription } from '../domain/tools.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { assertOwnCall } from './origin.ts';
import { persistWithRetry } from './persist-with-retry.ts';

/** Milliseconds until another worker is given a call that this one has no tool for. */
const PAUSE = 2000;

/**
 * Calls a tool on this worker. Its result is journalled: a call that came to its end is not made again. What goes wrong
 * is tried as often as the tool says, then it is an error string for the code.
 */
export async function callTool(deps: ActivityDependencies, input: ForAgent<CallToolInput>): Promise<CallToolResult> {
  const { run, execution, agent, spec } = input.scope;
  await assertOwnCall(deps, input.scope, input);
  const journal = `journal/${run}@${execution}/${agent}/${input.call}-${input.request.slice(0, 16)}`;
  const journalled = (await deps.blobs.getReference(journal)) as CallToolResult | undefined;
  if (journalled !== undefined) return journalled;
  const specification = await deps.chains.specification(spec);
  const { function: name, arguments: given = {} } = (await deps.chains.getJson(input.request)) as CallRequest;
  const tools = specification.type === 'analyze' ? (specification.tools ?? []) : [];
  const description = tools.find((tool) => tool.name === name);
  if (description === undefined) return { answer: { error: `there is no function ${name}` } };
  return withHeartbeat(async (signal) => {
    const result = await once(deps, description, given, signal);
    deps.checkpoint('tool.returned');
    const outcome = await persistWithRetry(() => deps.blobs.swapReference(journal, result, null), signal);
    deps.checkpoint('tool.recorded');
    // Another attempt was faster: one call has one result.
    return outcome.kind === 'swapped' ? result : ((outcome.current?.value as CallToolResult | undefined) ?? result);
  });
}

async function once(
  deps: ActivityDependencies,
  { name, attempts }: ToolDescription,
  given: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<CallToolResult> {
  if (!deps.tools.descriptions.some((tool) => tool.name === name)) {
    // Another worker may have it.
    throw new TypedError(
      'Tool.Missing',
      `This worker has no tool ${name}: start it with the --tools or the configuration that the run was started with.`,
      { retryAfterMs: PAUSE },
    );
  }
  let value: unknown;
  try {
    value = await deps.tools.call(name, given, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const isFinal = error instanceof TypedError && !FAILURES[error.type].retryable;
    if (!isFinal && activityInfo().attempt < attempts) throw error;
    return { answer: { error: error instanceof Error ? error.message : `${name}: ${String(error)}` } };
  }
  return { answer: { ref: await persistWithRetry(() => deps.chains.putJson(value), signal) } };
}
