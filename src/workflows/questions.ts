import { condition, defineSignal } from '@temporalio/workflow';
import { agentWorkflowId } from '../domain/ids.ts';
import {
  approveMessage,
  decisionSignal,
  questionSignal,
  rejectMessage,
  type Decision,
  type DecisionMessage,
  type Question,
  type QuestionMessage,
} from '../domain/messages.ts';
import { deliver } from './deliver.ts';
import { typedFailure } from './failure.ts';
import { onMessage, onSignal, type IgnoredMessages } from './messages.ts';

/** What the agents of a run, at any depth, ask a person; and the answers. */
export interface Questions {
  readonly open: readonly Question[];
  /** Asks in the name of the run itself. Resolves with the answer. */
  ask(question: Question): Promise<Decision>;
}

/** @param onChange called when something is asked or answered @param onAsked called once for each question */
export function createQuestions(
  run: string,
  {
    ignored,
    reply,
    onChange,
    onAsked,
  }: {
    readonly ignored: IgnoredMessages;
    readonly reply: () => object;
    readonly onChange: () => void;
    readonly onAsked: (question: Question) => void;
  },
): Questions {
  const open = new Map<string, Question>();
  const own = new Map<string, Decision | undefined>();

  function add(question: Question): void {
    const isNew = !open.has(question.id);
    open.set(question.id, question);
    onChange();
    if (isNew) onAsked(question);
  }

  async function decide(approved: boolean, { question: id, reason }: DecisionMessage): Promise<void> {
    const answered = id === undefined ? [...open.values()] : [open.get(id)];
    const known = answered.filter((question) => question !== undefined);
    if (known.length === 0) throw typedFailure('Input.Invalid', nothingOpen(id, [...open.keys()]));
    for (const question of known) open.delete(question.id);
    onChange();
    await Promise.all(
      known.map(async (question) => {
        const decision: Decision = { id: question.id, approved, ...(reason === undefined ? {} : { reason }) };
        if (own.has(question.id)) own.set(question.id, decision);
        else await deliver(agentWorkflowId(run, question.agent), defineSignal<[Decision]>(decisionSignal), [decision]);
      }),
    );
  }

  onSignal<QuestionMessage>(questionSignal, ignored, {
    description: 'From an agent: it asks a person, or does not need the answer any more',
    apply(message) {
      if (message.kind === 'asked') return add(message.question);
      open.delete(message.id);
      onChange();
    },
  });
  onMessage<DecisionMessage>(approveMessage, ignored, {
    description: 'Let agents do what they ask for. {question?, id?}; without a question all that is asked',
    apply: (message) => decide(true, message),
    reply,
  });
  onMessage<DecisionMessage>(rejectMessage, ignored, {
    description: 'Refuse agents what they ask for. {question?, reason?, id?}; without a question all that is asked',
    apply: (message) => decide(false, message),
    reply,
  });
  return {
    get open() {
      return [...open.values()];
    },
    async ask(question) {
      own.set(question.id, undefined);
      add(question);
      try {
        await condition(() => own.get(question.id) !== undefined);
        return own.get(question.id) ?? { id: question.id, approved: false };
      } finally {
        open.delete(question.id);
        own.delete(question.id);
        onChange();
      }
    },
  };
}

function nothingOpen(id: string | undefined, open: readonly string[]): string {
  const are = open.length === 0 ? 'nothing is asked now' : `asked now: ${open.join(', ')}`;
  return id === undefined ? `There is nothing to answer: ${are}.` : `There is no question "${id}": ${are}.`;
}
