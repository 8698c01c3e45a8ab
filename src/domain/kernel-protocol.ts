import type { FieldType } from './signature/field-type.ts';
import type { Usage } from './usage.ts';

/**
 * The messages between host and kernel: JSON over HTTP/1.1, on a unix socket in a local sandbox, on TCP in a
 * remote one. The kernel is untrusted: whatever it sends is validated against these types by the client.
 *
 *     GET  /v1/info                                   KernelInfo
 *     POST /v1/setup    SetupRequest                  KernelInfo          idempotent; before the first block
 *     POST /v1/input?generation=G&input=I&offset=B&last=1  raw bytes -> InputReply    idempotent; between setup and blocks
 *     POST /v1/exec     ExecRequest                   KernelInfo          idempotent: the current number attaches
 *     GET  /v1/events?block=N&after=C&wait_ms=W       EventsReply         long poll, W at most 30,000
 *     GET  /v1/output?block=N&stream=stdout&offset=B  raw bytes           the captured text so far, up to its cap
 *     POST /v1/answers  AnswersRequest                {}                  idempotent by call id
 *     POST /v1/interrupt {generation, block}          {}                  as at the end of the time limit
 *     POST /v1/process  ProcessRequest                ProcessReply        a command beside the REPL (git, say)
 *     POST /v1/renew    {}                            {}                  the sandbox is wanted; any request renews
 *     POST /v1/shutdown {}                            {}                  ends every process of the sandbox
 *
 * Errors: 400 malformed, 404 unknown path, 409 with {error: 'stale' | 'diverged' | 'generation', message}, 413 too large.
 */
export const KERNEL_PROTOCOL = 1;

/** Prompts or tasks of one call, its variables, and those of all its tasks: `python/rlm_kernel/limits.py` has the same. */
export const MAX_BATCH_ITEMS = 5_000;
export const MAX_CALL_VARIABLES = 100;
export const MAX_HANDED_VALUES = 10_000;

export interface KernelInfo {
  readonly protocol: number;
  /** Python's version, `3.11.7`. */
  readonly python: string;
  /** Of the sandbox: 0, one more at each rebuild. Requests name it. */
  readonly generation: number;
  /** Number of the last block begun; 0 before the first. */
  readonly block: number;
  /** The name the chain gave that block; '' before the first. */
  readonly head: string;
  readonly status: 'new' | 'idle' | 'running';
  /** How often the REPL process was started again after it died; its variables were lost each time. */
  readonly restarts: number;
  /** Inputs of the setup that are not loaded, in its order; no block begins before they are. Left out where all are. */
  readonly missing?: readonly string[];
}

export interface SetupRequest {
  readonly generation: number;
  /** Seeds Python's `random`, so that a rebuild repeats itself. */
  readonly seed: number;
  /** Variables the code sees, by name; JSON values. `task` is one. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Functions that are answered by the host. */
  readonly functions: readonly HostFunction[];
  /** Folder the code starts in. */
  readonly cwd: string;
  /** The fields of the result: with them there is SUBMIT, and FINAL is checked. `final.value` is then an object of them. */
  readonly outputs?: readonly OutputVariable[];
  /** Variables whose bytes follow, one input after the other; after the REPL process died they are to be sent again. */
  readonly inputs?: readonly InputVariable[];
}

export interface OutputVariable {
  readonly name: string;
  readonly type: FieldType;
}

export interface InputVariable {
  readonly name: string;
  /**
   * UTF-8 without a byte order mark. text: a str, whatever is not UTF-8 as lone surrogates. json: any value. jsonl: a list,
   * an item a line. Integers of any size are exact.
   */
  readonly format: InputFormat;
  /** What the value must be; tuples and keys that are no str are made of lists and str. Default: anything. */
  readonly type?: FieldType;
}

export type InputFormat = 'text' | 'json' | 'jsonl';

/** The answer to a piece of an input. */
export interface InputReply {
  /** Bytes of it that have arrived; a piece may begin at this offset or before. */
  readonly received: number;
  readonly loaded: boolean;
}

/** What a prompt can say of a variable. */
export interface InputSummary {
  /** Python's name of its type: `list`. */
  readonly type: string;
  /** Its `len`; null where it has none. */
  readonly length: number | null;
  /** How it begins, as Python's repr; about 400 characters. */
  readonly preview: string;
}

/** A function whose call is answered by the host: the kernel makes a Python function of it. */
export interface HostFunction {
  readonly name: string;
  readonly parameters: readonly HostFunctionParameter[];
  /**
   * Whether it takes further keyword arguments, which travel as the argument `variables`: an object by name, absent when
   * none was given. one: any JSON value each. each: lists with as many items as the first parameter has, which then is a
   * `list[str]` without a default. Default: it does not. No parameter has the name `variables` then.
   */
  readonly variables?: 'one' | 'each';
  /**
   * Whether the strings it returns are reports: of Python's type `Report`, a `str` whose `.full` is all of what may have
   * been cut. Default false.
   */
  readonly reports?: boolean;
  readonly doc: string;
}

export interface HostFunctionParameter {
  readonly name: string;
  /** What the kernel checks. any: whatever is JSON, converted and refused as by SUBMIT. */
  readonly type: 'str' | 'list[str]' | 'any';
  /** A JSON value; without one the parameter is required, unless it is optional. */
  readonly default?: unknown;
  /** Whether it may be left out, and then is not among the arguments. Shown as the default None. Default false. */
  readonly optional?: boolean;
  /** The type as `help` and `inspect` show it, such as `dict[str, int] | None`; never evaluated. Default: `type`. */
  readonly annotation?: string;
  /** Whether it is given by name only; these come after the others. Default false. */
  readonly keyword_only?: boolean;
}

export interface ExecRequest {
  readonly generation: number;
  /** 1, 2, 3, ... without gaps. The current number attaches, a lower one is 409 stale, a gap 409 diverged. */
  readonly block: number;
  /** What the chain calls this block; the current number with another head is 409 diverged. */
  readonly head: string;
  readonly code: string;
  /** Seconds the block may compute; the clock stops while a call of it is unanswered. */
  readonly timeout: number;
  /** Characters kept of each stream, half at its head and half at its tail. */
  readonly output_limit: number;
}

export interface EventsReply {
  readonly events: readonly KernelEvent[];
  /** To be sent as `after` of the next poll. */
  readonly cursor: number;
  /**
   * running: the code computes. waiting: nothing in it can go on without an answer.
   * done: the last event is `done`.
   */
  readonly state: 'running' | 'waiting' | 'done';
  /** Calls not yet answered, in the order they were made. */
  readonly pending: readonly string[];
}

export type KernelEvent = CallEvent | DoneEvent;

export interface CallEvent {
  readonly type: 'call';
  readonly cursor: number;
  /** `<block>.<n>`, n counted in the order the calls reached the supervisor. */
  readonly call: string;
  readonly function: string;
  /** By parameter name, JSON values. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** SHA-256 of function and arguments as canonical JSON: matches calls when a block runs again. */
  readonly hash: string;
}

export interface DoneEvent {
  readonly type: 'done';
  readonly cursor: number;
  readonly result: BlockResult;
}

export interface BlockResult {
  /** crashed: the REPL process died (os._exit, a signal); memory: it was ended at the memory limit. */
  readonly status: 'ok' | 'error' | 'timeout' | 'crashed' | 'memory' | 'interrupted';
  /** Captured text, head and tail within `output_limit`, with a line between that says how much is left out. */
  readonly stdout: string;
  readonly stderr: string;
  /** Characters before truncation. */
  readonly stdout_length: number;
  readonly stderr_length: number;
  /** What went wrong, for the model: a traceback without our own frames, or one sentence. */
  readonly error: string | null;
  /** What FINAL, FINAL_VAR or SUBMIT was given, sealed at the first call. With `outputs` an object of those fields. */
  readonly final: { readonly value: unknown } | null;
  /** Seconds of computing, unanswered calls not counted. */
  readonly execution_time: number;
}

export interface AnswersRequest {
  readonly generation: number;
  readonly block: number;
  readonly answers: readonly CallAnswer[];
}

export interface CallAnswer {
  readonly call: string;
  /** What the Python function returns: a string, a list of strings, any JSON value. */
  readonly value: unknown;
  /** More of the sub-agents' reports in `value`, by their place in its list (0 where it is no list). */
  readonly reports?: Readonly<Record<number, ReportDetails>>;
}

/** What a sub-agent's report carries besides its text. Null is too large to be sent, and the code that asks is told so. */
export interface ReportDetails {
  /** All of a report that is cut, for `.full`. */
  readonly whole?: string | null;
  /** The changes to its clone, in base64, for `.patch` and `.files`. Default: none. */
  readonly patch?: string | null;
  /** Of the sub-agent and all below it, for `.usage`. */
  readonly usage?: Usage;
}

/** Paths as the sandbox sees them. */
export interface UnchangedRequest {
  readonly workspace: string;
  /** Of the checkout that the clone began as. */
  readonly index: string;
  /** The folder that holds whatever was written to the clone, where the file system keeps it apart. */
  readonly changes?: string;
}

export interface UnchangedReply {
  /** Every file is as the checkout left it. False also where that cannot be told. */
  readonly unchanged: boolean;
}

export interface ProcessRequest {
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** The whole environment. Default: PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input, base64. */
  readonly stdin?: string;
  /** Seconds; SIGKILL to its process group at the end. Default 120. */
  readonly timeout?: number;
  /** Bytes kept of standard output and error, each; beyond it `truncated` is true. Default 64 MiB. */
  readonly limit?: number;
  /** Default false. True: every other process of the sandbox is ended first, for good, the REPL included. */
  readonly alone?: boolean;
}

export interface ProcessReply {
  /** Exit code; 128 + signal when ended by a signal. */
  readonly code: number;
  /** Base64. */
  readonly stdout: string;
  /** Base64. */
  readonly stderr: string;
  readonly truncated: boolean;
}
