import { CancellationScope, condition, defineSignal, getExternalWorkflowHandle } from '@temporalio/workflow';
import {
  decisionSignal,
  questionSignal,
  type Decision,
  type Question,
  type QuestionMessage,
} from '../domain/messages.ts';
import { deliver } from './deliver.ts';
import { onSignal, type IgnoredMessages } from './messages.ts';

const question = defineSignal<[QuestionMessage]>(questionSignal);

/** Asks a person before the steps of an agent that `rlm.approve` names; the question goes to the agent's run. */
export interface Approvals {
  /**
   * Resolves when a person has answered; at once where nobody is to be asked.
   *
   * @returns undefined when it may be done, else the sentence that says why not
   */
  ask(
    step: Question['step'],
    about: Pick<Question, 'text' | 'ref'> & { readonly call: string },
  ): Promise<string | undefined>;
}

export function createApprovals(input: {
  readonly run: string;
  readonly agent: string;
  readonly steps: readonly Question['step'][];
  readonly ignored: IgnoredMessages;
}): Approvals {
  const { run, agent, steps, ignored } = input;
  const open = new Map<string, Decision | undefined>();
  onSignal<Decision>(decisionSignal, ignored, {
    description: 'From the run: what a person answered',
    apply(given) {
      if (open.has(given.id)) open.set(given.id, given);
    },
  });
  return {
    async ask(step, { call, text, ref }) {
      if (!steps.includes(step)) return undefined;
      const id = `${agent}/${call}`;
      open.set(id, undefined);
      try {
        const asked: QuestionMessage = { kind: 'asked', question: { id, agent, step, text, ref } };
        // Delivered before it can be withdrawn: two that are on their way arrive in any order.
        await CancellationScope.nonCancellable(() => getExternalWorkflowHandle(run).signal(question, asked));
        await condition(() => open.get(id) !== undefined);
      } catch (error) {
        // The code that made the call has ended, or its agent: nobody needs an answer.
        await CancellationScope.nonCancellable(() => deliver(run, question, [{ kind: 'withdrawn', id }]));
        throw error;
      }
      const given = open.get(id);
      open.delete(id);
      return given?.approved === true ? undefined : rejection(given?.reason);
    },
  };
}

export function rejection(reason: string | undefined): string {
  return `a person rejected it${reason === undefined ? '' : `: ${reason}`}`;
}
