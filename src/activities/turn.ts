import { ApplicationFailure } from '@temporalio/activity';
import type { ActResult, BeginInput, BeginResult, ThinkResult, TurnInput, TurnResult } from '../domain/contract.ts';
import { FAILURES, TypedError } from '../domain/failures.ts';
import { formatHandle, type SandboxName } from '../domain/sandbox.ts';
import { addUsage } from '../domain/usage.ts';
import { runReply } from './act.ts';
import { makeSandbox, sandboxName } from './create-sandbox.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';
import { reachedTurn, type Turn } from './reached-turn.ts';
import { createTimeout } from './sandbox-basis.ts';
import { takeReply } from './think.ts';
import { readAgentReference, type AgentScope } from './trajectory.ts';

/** Milliseconds before the model is asked again where it did not say how long. */
const DELAY = 500;
const FIRST_GENERATION = 0;
/**
 * Milliseconds in which another turn may still be begun. Handing a turn back to the workflow takes about 20 of them:
 * nothing beside a model that thinks for seconds, much beside one that answers at once. A pause or a message of a
 * person waits no longer than this and a turn.
 */
const SLICE = 1000;

/**
 * The whole first turn of an agent, and further ones. It tells how far it got instead of failing, so that its workflow
 * always hears of the sandbox; whatever is missing is done, or fails, in an activity of its own.
 */
export async function begin(deps: ActivityDependencies, input: Scoped<BeginInput>): Promise<BeginResult> {
  const started = performance.now();
  return whileBeating(async (signal) => {
    const { execution, scope, head, last = 1 } = input;
    const reached = await reachedTurn(deps, scope, { head, iteration: 1, block: 0 });
    const [made, answer] = await Promise.all([
      firstSandbox(deps, input, signal),
      reached.reply === undefined ? firstReply(deps, input, signal) : { reply: reached.reply },
    ]);
    const { reply } = answer;
    const { sandbox } = made;
    if (sandbox === undefined || reply === undefined) return { ...made, ...answer };
    const running = { execution, scope, sandbox, last, started };
    const result = await takeTurns(deps, running, { ...reached, reply }, signal);
    return { sandbox, ...result };
  });
}

/** Turns after the first. It fails only where the model does in the first of them: then there is nothing else to tell. */
export async function turn(deps: ActivityDependencies, input: Scoped<TurnInput>): Promise<TurnResult> {
  const started = performance.now();
  return whileBeating(async (signal) => {
    const { execution, scope, sandbox, iteration, last = iteration } = input;
    const reached = await reachedTurn(deps, scope, input);
    const reply = reached.reply ?? (await takeReply(deps, { ...input, purpose: 'turn' }, signal));
    return takeTurns(deps, { execution, scope, sandbox, last, started }, { ...reached, reply }, signal);
  });
}

interface Running {
  readonly execution: string;
  readonly scope: AgentScope;
  readonly sandbox: SandboxName;
  readonly last: number;
  readonly started: number;
}

/** Runs the reply's code and takes further turns until there is something the workflow must hear of, or time is up. */
async function takeTurns(
  deps: ActivityDependencies,
  running: Running,
  first: Turn,
  signal: AbortSignal,
): Promise<TurnResult> {
  const { execution, scope, sandbox, last, started } = running;
  let current = first;
  for (;;) {
    const { turns, iteration, block, reply } = current;
    const acted = reply.blocks === 0 ? undefined : await runCode(deps, { execution, scope, sandbox }, current, signal);
    const result = { ...(turns === 1 ? {} : { turns, block }), reply, ...(acted === undefined ? {} : { acted }) };
    const goesOn =
      acted?.kind === 'done' && acted.final === undefined && acted.lost !== true && iteration < last && !signal.aborted;
    if (!goesOn || performance.now() - started >= SLICE) return result;
    const asked = { execution, scope, head: acted.head, iteration: iteration + 1, purpose: 'turn' as const };
    let next: ThinkResult;
    try {
      next = await takeReply(deps, asked, signal);
    } catch (error) {
      // One that may pass is Temporal's to retry: the turns so far are found again.
      const refusal = signal.aborted ? undefined : refusalOf(error);
      if (refusal?.delay !== undefined) throw error;
      return refusal === undefined ? result : { ...result, refusal };
    }
    current = {
      turns: turns + 1,
      iteration: iteration + 1,
      block: Math.max(block, acted.block),
      reply: { ...next, usage: addUsage(reply.usage, next.usage) },
    };
  }
}

async function firstSandbox(
  deps: ActivityDependencies,
  { execution, scope, task }: Scoped<BeginInput>,
  signal: AbortSignal,
): Promise<Pick<BeginResult, 'sandbox' | 'no_sandbox'>> {
  const { config } = await deps.chains.specification(scope.spec);
  const seconds = createTimeout(config.sandbox);
  const limit = AbortSignal.timeout(seconds * 1000);
  try {
    const reference = await readAgentReference(deps, scope);
    // Closed by an attempt whose answer did not get through: its sandbox must not be made again. Nor one in which blocks
    // have run: where it is lost, they have to run again first.
    if (reference?.state === 'done' || typeof reference?.sandbox === 'string')
      return { sandbox: await nameOfFirst(deps, scope) };
    const making = { execution, scope, task, generation: FIRST_GENERATION };
    return { sandbox: await makeSandbox(deps, making, AbortSignal.any([signal, limit])) };
  } catch (error) {
    if (signal.aborted) return {};
    if (limit.aborted) {
      const message = `There was no sandbox within ${seconds} s (sandbox.create_timeout).`;
      return { no_sandbox: { type: 'Sandbox.Unavailable', message } };
    }
    if (!(error instanceof TypedError) || FAILURES[error.type].retryable) return {};
    return { no_sandbox: { type: error.type, message: error.message } };
  }
}

async function nameOfFirst(deps: ActivityDependencies, scope: AgentScope): Promise<SandboxName> {
  const { config } = await deps.chains.specification(scope.spec);
  const name = sandboxName(scope, FIRST_GENERATION);
  return formatHandle(deps.sandboxes(config.sandbox.provider).handleOf({ name, generation: FIRST_GENERATION }));
}

async function firstReply(
  deps: ActivityDependencies,
  input: Scoped<BeginInput>,
  signal: AbortSignal,
): Promise<Pick<BeginResult, 'reply' | 'refusal'>> {
  try {
    return { reply: await takeReply(deps, { ...input, iteration: 1, purpose: 'turn' }, signal) };
  } catch (error) {
    const refusal = signal.aborted ? undefined : refusalOf(error);
    return refusal === undefined ? {} : { refusal };
  }
}

function refusalOf(error: unknown): BeginResult['refusal'] {
  if (error instanceof ApplicationFailure) return { type: error.type ?? 'Error', message: error.message };
  if (!(error instanceof TypedError)) return undefined;
  const { type, message, retryAfterMs } = error;
  return { type, message, ...(FAILURES[type].retryable ? { delay: retryAfterMs ?? DELAY } : {}) };
}

async function runCode(
  deps: ActivityDependencies,
  where: Pick<Running, 'execution' | 'scope' | 'sandbox'>,
  { block, reply }: Turn,
  signal: AbortSignal,
): Promise<ActResult | undefined> {
  const step = { index: 0, block: block + 1, cursor: 0 };
  // The reply is recorded, and counts: what becomes of its code is `act`'s to tell.
  return runReply(deps, { ...where, head: reply.head, step }, signal).catch(() => undefined);
}
