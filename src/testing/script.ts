import type { Conversation } from './conversation.ts';

/** A reply, or a fault in its place. Only one of `error`, `cut`, `hang` and `raw` is looked at, in this order. */
export interface ScriptedReply {
  /** Default ''. */
  readonly text?: string;
  /** Default: a quarter of the characters as tokens, no cost. */
  readonly usage?: { readonly input_tokens?: number; readonly output_tokens?: number; readonly cost?: number };
  /** Default: the server's. */
  readonly latencyMs?: number;
  /** Default `stop`. */
  readonly finishReason?: string;
  /** An HTTP error; its body defaults to one in the API's form. */
  readonly error?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  /** The connection is cut in the middle of the reply. */
  readonly cut?: true;
  /** No reply ever; the client gives up or the server is closed. */
  readonly hang?: true;
  /** Sent as it is with status 200, whatever it is. */
  readonly raw?: string;
}

export type Reply = string | ScriptedReply;

/** Undefined says: this conversation is not mine, ask the next script. A promise holds the reply back. */
export type ScriptFunction = (conversation: Conversation) => Reply | undefined | Promise<Reply | undefined>;

export interface Script {
  readonly name: string;
  readonly reply: ScriptFunction;
  /** What was written and never asked for, each as a phrase; a function has nothing to leave unplayed. */
  unplayed(): readonly string[];
}

export type Scripts = ScriptFunction | Script | readonly Scripts[];

/** Replies to the first, second, ... time that one and the same conversation is asked; the last one repeats. */
export interface Attempts {
  readonly attempts: readonly Reply[];
}

export type Step = Reply | Attempts | ((conversation: Conversation) => Reply | Promise<Reply>);

export interface ForTaskOptions {
  /** Default: the pattern. */
  readonly name?: string;
  /** Which step a conversation is at. Default: the number of the model's replies in it. */
  readonly turn?: (conversation: Conversation) => number;
  /** The text the pattern is looked for in. Default: everything before the model's first reply. */
  readonly text?: (conversation: Conversation) => string;
  /** Further conditions on the conversation. */
  readonly when?: (conversation: Conversation) => boolean;
}

/**
 * The replies of every agent whose opening has the pattern: the first step to its first turn, and so on. Which step
 * is played follows from the conversation alone, so a repeated request gets the same reply. Beyond the last step
 * the conversation is unscripted.
 */
export function forTask(pattern: string | RegExp, steps: readonly Step[], options: ForTaskOptions = {}): Script {
  const turnOf = options.turn ?? ((conversation) => conversation.turn);
  const textOf = options.text ?? ((conversation) => conversation.opening);
  const name = options.name ?? String(pattern);
  const played = new Set<string>();

  const reply: ScriptFunction = (conversation) => {
    if (!matches(pattern, textOf(conversation)) || options.when?.(conversation) === false) return undefined;
    const turn = turnOf(conversation);
    const step = steps[turn];
    if (step === undefined) return undefined;
    if (typeof step === 'function') {
      played.add(partName(turn));
      return step(conversation);
    }
    if (!isAttempts(step)) {
      played.add(partName(turn));
      return step;
    }
    const attempt = Math.min(conversation.askedBefore, step.attempts.length - 1);
    played.add(partName(turn, attempt));
    return step.attempts[attempt];
  };
  const unplayed = (): string[] =>
    steps
      .flatMap((step, turn) =>
        isAttempts(step) ? step.attempts.map((_, attempt) => partName(turn, attempt)) : [partName(turn)],
      )
      .filter((part) => !played.has(part))
      .map((part) => `${name}: ${part}`);
  return { name, reply, unplayed };
}

/** For faults that pass: `attempts({ error: { status: 503 } }, 'the reply')`. */
export function attempts(...replies: readonly [Reply, ...Reply[]]): Attempts {
  return { attempts: replies };
}

/** A reply's text with one block of Python. */
export function withCode(code: string, thought = ''): string {
  return `${thought === '' ? '' : `${thought}\n\n`}\`\`\`python\n${code.trimEnd()}\n\`\`\``;
}

/** Scripts as one list, in the order they are asked. */
export function flattenScripts(scripts: Scripts): Script[] {
  if (typeof scripts === 'function') return [{ name: scripts.name || 'script', reply: scripts, unplayed: () => [] }];
  if ('reply' in scripts) return [scripts];
  return scripts.flatMap(flattenScripts);
}

function partName(turn: number, attempt?: number): string {
  return attempt === undefined ? `turn ${turn}` : `turn ${turn}, attempt ${attempt + 1}`;
}

function isAttempts(step: Step): step is Attempts {
  return typeof step === 'object' && 'attempts' in step;
}

function matches(pattern: string | RegExp, text: string): boolean {
  // search() ignores a global expression's lastIndex, which test() would carry over to the next conversation.
  return typeof pattern === 'string' ? text.includes(pattern) : text.search(pattern) >= 0;
}
