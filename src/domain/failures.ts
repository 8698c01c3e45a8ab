/**
 * Every failure that a run must deal with, by its dotted type. An activity throws it as an
 * ApplicationFailure of that type; a workflow tells them apart by it. What the *model* should see
 * (a Python exception, a refused call) is data, not one of these.
 *
 * What is retried is not retried for ever: `src/activities/model-attempts.ts` counts the attempts of model calls, and
 * `src/workflows/pause-on-error.ts` names the failures that pause the run then.
 */
export const FAILURES = {
  /** 429 or an overloaded provider: retried, honouring Retry-After. */
  'Model.RateLimited': { retryable: true },
  /** 5xx, a cut connection, a time-out, a reply that is not the API's: retried. */
  'Model.Unavailable': { retryable: true },
  /** 401, 402, 403, quota used up: the run pauses (or fails, `on_error: fail`). */
  'Model.Refused': { retryable: false },
  /** The provider's moderation does not let this prompt through; another prompt it would: nothing pauses. */
  'Model.Moderated': { retryable: false },
  /** The key's variable is not set on this host: another worker's chance. */
  'Model.KeyMissing': { retryable: true },
  /** The conversation is longer than the model's context. */
  'Model.ContextLength': { retryable: false },
  /** 400, 404, 422: the request cannot be right. */
  'Model.BadRequest': { retryable: false },
  /** The sandbox is gone and its state with it. */
  'Sandbox.Lost': { retryable: false },
  /** It cannot be made here (bubblewrap missing, no user namespaces): the message names the ways on. */
  'Sandbox.Unavailable': { retryable: false },
  /** A command of `sandbox.setup` failed or took too long: no agent begins. */
  'Sandbox.SetupFailed': { retryable: false },
  /** The kernel's answer contradicts the trajectory (another head, a gap): the run must not continue with it. */
  'Sandbox.Diverged': { retryable: false },
  /** The repository, branch or commit does not exist, or cannot be fetched. */
  'Repository.NotFound': { retryable: false },
  'Repository.Unavailable': { retryable: true },
  /** A blob is missing, or its bytes do not have its hash. */
  'Storage.Missing': { retryable: false },
  'Storage.Damaged': { retryable: false },
  'Storage.Unavailable': { retryable: true },
  /** A newer attempt has claimed the agent: this one may record nothing more. */
  'Agent.Superseded': { retryable: true },
  /** Nothing of `rlm.max_cost` is left: the run pauses (`on_error: fail`: the agent ends with what it has). */
  'Budget.Exhausted': { retryable: false },
  /** The agent used up its iterations or wrote no code, and gave no answer that could be used when it was asked. */
  'Agent.NoAnswer': { retryable: false },
  /** An agent ended by an error that none of these types names. */
  'Agent.Failed': { retryable: false },
  /** Somebody cancelled or terminated the root agent, and not its run. */
  'Agent.Cancelled': { retryable: false },
  'Agent.Terminated': { retryable: false },
  /** `rlm.global_timeout` is over; the details have what there was by then. */
  'Run.TimedOut': { retryable: false },
  /** The workflow that counts what a run has left is gone: nothing can be granted any more. */
  'Run.BudgetLost': { retryable: false },
  /** What its code handed over has ended two workers: no other one is given it. */
  'Run.EndsWorkers': { retryable: false },
  /** No item of a batch completed; the details have its outcome. */
  'Batch.Failed': { retryable: false },
  /** This worker does not have the tool that code calls: another worker's chance. */
  'Tool.Missing': { retryable: true },
  /** A tool threw, took too long, or its server is gone: a call is tried as often as the tool says. */
  'Tool.Failed': { retryable: true },
  /** A tool answered that it cannot do this, or with what is not JSON: another attempt would not help. */
  'Tool.Refused': { retryable: false },
  /** The input of a workflow is wrong, or the arguments of a tool; the message says what to do. */
  'Input.Invalid': { retryable: false },
  /** The input of a run asks for what its worker does not allow; the message names the settings that would. */
  'Input.NotAllowed': { retryable: false },
  /** This worker does not allow what a run needs, and another may, such as the one of who started it. */
  'Worker.NotAllowed': { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

export type FailureType = keyof typeof FAILURES;

/** Numbers of tokens that a provider names when a request is too long for it. */
export interface TokenCounts {
  readonly sent?: number;
  readonly limit?: number;
}

/**
 * An error with one of the types above. Thrown by llm, sandbox, storage and config; turned into an
 * ApplicationFailure where activities end.
 */
export class TypedError extends Error {
  readonly type: FailureType;
  /** Milliseconds to wait before the next attempt, where the other side said so. */
  declare readonly retryAfterMs: number | undefined;
  /** Of a conversation that is too long, where the provider says how much. */
  declare readonly tokens: TokenCounts | undefined;
  /** Of a rate limit: when this process last had another answer from there, in milliseconds since the epoch. */
  declare readonly answeredAt: number | undefined;

  constructor(
    type: FailureType,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined; tokens?: TokenCounts; answeredAt?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = type;
    this.type = type;
    // Not as undefined: a program that such an error ends prints its properties.
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.tokens !== undefined) this.tokens = options.tokens;
    if (options.answeredAt !== undefined) this.answeredAt = options.answeredAt;
  }
}

/** Whether a sandbox is gone, or the variables in it. */
export function isSandboxLost(error: unknown): error is TypedError {
  return error instanceof TypedError && error.type === 'Sandbox.Lost';
}
