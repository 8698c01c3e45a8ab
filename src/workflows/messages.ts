import {
  ApplicationFailure,
  condition,
  defineSignal,
  defineUpdate,
  isCancellation,
  setDefaultSignalHandler,
  setHandler,
} from '@temporalio/workflow';
import { messageProblem } from '../domain/check-message.ts';
import { nearestName } from '../domain/nearest-name.ts';
import { typedFailure } from './failure.ts';

/** Messages that a workflow has ignored, for the answer to its status query. */
export interface IgnoredMessages {
  readonly notes: readonly string[];
  add(note: string): void;
}

/** Notes that are kept: the newest. */
const MAX_NOTES = 20;

export function createIgnoredMessages(): IgnoredMessages {
  let notes: readonly string[] = [];
  return {
    get notes() {
      return notes;
    },
    add(note) {
      notes = [...notes, note].slice(-MAX_NOTES);
    },
  };
}

function sentence(text: string): string {
  return text.endsWith('?') ? text : `${text}.`;
}

interface MessageHandler<Message> {
  /** For a person, in Temporal's UI and `temporal workflow metadata`. */
  readonly description: string;
  /** @throws ApplicationFailure where it cannot be applied: a signal is ignored then, an update fails */
  readonly apply: (message: Message) => void | Promise<void>;
  /** What is wrong with a message whose fields are right, a phrase for a person: this workflow has no use for one of them, say. */
  readonly problemOf?: (message: Message) => string | undefined;
}

/** What is wrong with a message, a phrase for a person; undefined for one that can be applied. */
function problemWith(
  name: string,
  message: unknown,
  problemOf: MessageHandler<never>['problemOf'],
): string | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its fields have been checked
  return messageProblem(name, message) ?? problemOf?.((message ?? {}) as never);
}

/** Takes a signal between workflows. One that is malformed is ignored, and noted: it must not end what it was sent to. */
export function onSignal<Message>(
  name: string,
  ignored: IgnoredMessages,
  { description, apply, problemOf }: MessageHandler<Message>,
): void {
  setHandler(
    defineSignal<[unknown]>(name),
    async (message) => {
      const problem = problemWith(name, message, problemOf);
      if (problem !== undefined) return ignored.add(`The signal ${name} was ignored: ${sentence(problem)}`);
      try {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its fields have been checked
        await apply((message ?? {}) as Message);
      } catch (error) {
        // One that leaves a handler would end the workflow, as cancelled, before it has recorded its outcome.
        if (isCancellation(error)) return ignored.add(`The signal ${name} was ignored: the workflow was cancelled.`);
        if (!(error instanceof ApplicationFailure)) throw error;
        ignored.add(`The signal ${name} was ignored: ${error.message}`);
      }
    },
    { description },
  );
}

/**
 * How many conditions may become true, one because of the other, before what has happened has led to its last command. There
 * are two at most: the last sub-agent of an agent ends, and then the budget has what the agent settled. One is to spare.
 */
const ROUNDS = 3;

/**
 * Resolves when all else that has happened so far has been handled: commands of a message come after those of a timer, say.
 *
 * On replay messages come before all else that happened by the same workflow task. They need not have at first: a worker
 * that is asked a query before it gets the task handles for the query what has happened by then, and a message that comes
 * in between when it gets the task. See docs/decisions/021-messages-come-last.md, and test/workflows/query-before-task.test.ts.
 */
export async function afterAllElse(): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    let isLater = false;
    const later = condition(() => isLater);
    isLater = true;
    // oxlint-disable-next-line no-await-in-loop -- one round after another
    await later;
  }
}

/**
 * Takes a message of a person, as a signal and as the update of the same name: that is refused where it is malformed,
 * and answers with `reply` when it has been applied. A client that is not sure whether its message has arrived sends it
 * again with the same `id`: it is applied once, unless it could not be applied.
 */
export function onMessage<Message>(
  name: string,
  ignored: IgnoredMessages,
  { description, apply, reply, problemOf }: MessageHandler<Message> & { readonly reply: () => object },
): void {
  /** Messages that are being applied or have been, by id. */
  const known = new Map<string, Promise<void>>();
  const applyOnce = (message: Message): Promise<void> => {
    const id = idOf(message);
    const before = id === undefined ? undefined : known.get(id);
    if (before !== undefined) return before;
    const applying = afterAllElse().then(() => apply(message));
    if (id !== undefined) {
      known.set(id, applying);
      applying.catch(() => known.delete(id));
    }
    return applying;
  };
  onSignal<Message>(name, ignored, {
    description,
    apply: applyOnce,
    ...(problemOf === undefined ? {} : { problemOf }),
  });
  setHandler(
    defineUpdate<object, [unknown]>(name),
    async (message) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it may be left out
      await applyOnce((message ?? {}) as Message);
      return reply();
    },
    {
      description,
      validator(message) {
        const problem = problemWith(name, message, problemOf);
        if (problem !== undefined) throw refusedUpdate(name, problem);
      },
    },
  );
}

function idOf(message: unknown): string | undefined {
  const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : undefined;
  return typeof id === 'string' ? id : undefined;
}

/** @param problem - a phrase for a person */
export function refusedUpdate(name: string, problem: string): ApplicationFailure {
  return typedFailure('Input.Invalid', `The update ${name} was refused: ${sentence(problem)}`);
}

/**
 * Notes signals of other names. To be called when all others are set.
 *
 * @param names - those that a person may send
 * @param updates - those that are updates only
 */
export function ignoreOtherSignals(
  ignored: IgnoredMessages,
  names: readonly string[],
  updates: readonly string[] = [],
): void {
  setDefaultSignalHandler((name) => {
    if (updates.includes(name)) {
      const command = `temporal workflow update execute --name ${name}`;
      return ignored.add(`The signal ${name} was ignored: it is an update only (${command}).`);
    }
    const nearest = nearestName(name, names);
    const advice = nearest === undefined ? `known are ${names.join(', ')}` : `did you mean ${nearest}?`;
    ignored.add(`The signal "${name.slice(0, 80)}" was ignored: there is none of this name; ${sentence(advice)}`);
  });
}
