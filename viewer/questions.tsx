import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { QuestionView } from '../src/viewer/model.ts';
import { count, plural, visible } from './format.ts';
import { useData, useLoaded, useShownRun } from './hooks.ts';
import { AskForm, filled, OutcomeLine, textOf, useOrders, type Orders } from './order.tsx';
import { Show } from './parts.tsx';
import { Patch } from './patch-tab.tsx';
import { agentLink } from './route.ts';
import { TextBlock } from './text-block.tsx';

/** Questions that are shown, and those of them whose call or patch is open at first. */
const MAX_SHOWN = 50;
const OPEN = 3;

/** What agents ask before a step that `rlm.approve` names: nothing of it happens before it is answered. */
export function Questions(): ComponentChildren {
  const { view } = useShownRun();
  const orders = useOrders();
  const { questions } = view;
  if (questions.length === 0 && orders.outcome === null) return null;
  return (
    <section class="note questions" aria-labelledby="questions">
      <h2 id="questions">
        {questions.length === 0 ? 'Nothing waits for you now' : `${plural(questions.length, 'step')} waiting for you`}
      </h2>
      {questions.length > 1 && <Decision orders={orders} what="all" question={undefined} />}
      <ul class="plain">
        {questions.slice(0, MAX_SHOWN).map((question, index) => (
          <li key={question.id}>
            <QuestionCard question={question} isOpen={index < OPEN} orders={orders} />
          </li>
        ))}
      </ul>
      {questions.length > MAX_SHOWN && <p>and {questions.length - MAX_SHOWN} more, which follow these.</p>}
      <OutcomeLine orders={orders} />
    </section>
  );
}

const STEPS = { patch: 'its patch', tools: 'a call of a tool', sub_agents: 'a call for sub-agents' } as const;

function QuestionCard({
  question,
  isOpen: isOpenAtFirst,
  orders,
}: {
  readonly question: QuestionView;
  readonly isOpen: boolean;
  readonly orders: Orders;
}): ComponentChildren {
  const { view } = useShownRun();
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  return (
    <article aria-label={`Question ${question.id}`}>
      <p>
        <a class="agent-chip" href={agentLink(view.run, question.agent)}>
          agent {question.agent}
        </a>
        {visible(question.text)}
      </p>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>The whole of {STEPS[question.step]}</summary>
        {isOpen && <Content question={question} />}
      </details>
      <Decision orders={orders} what={question.id} question={question.id} />
    </article>
  );
}

function Content({ question }: { readonly question: QuestionView }): ComponentChildren {
  const data = useData();
  const { view } = useShownRun();
  const loaded = useLoaded(() => data.question(view.run, question.id), [question.id]);
  return (
    <Show of={loaded} what="what is asked">
      {({ step, content }) => (
        <>
          {step === 'patch' ? (
            <Patch patch={content.text} isSplit={false} />
          ) : (
            <TextBlock
              run={view.run}
              agent={question.agent}
              text={content}
              name={step === 'tools' ? 'Arguments' : 'Tasks'}
              {...(step === 'tools' ? { language: 'json' } : { kind: 'prose' as const })}
            />
          )}
          {content.text.length < content.length && (
            <p class="error-text">
              These are the first {count(content.text.length)} of {count(content.length)} characters:{' '}
              <code>
                rlm approve {view.run} {question.id} --show
              </code>{' '}
              prints all of it.
            </p>
          )}
        </>
      )}
    </Show>
  );
}

/** @param what - for who hears the buttons without seeing where they stand */
function Decision({
  orders,
  what,
  question,
}: {
  readonly orders: Orders;
  readonly what: string;
  readonly question: string | undefined;
}): ComponentChildren {
  const { view } = useShownRun();
  const [asks, setAsks] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isDisabled = orders.isBusy || view.uncontrollable !== null;
  const reject = async (fields: FormData): Promise<void> => {
    await orders.send({ kind: 'reject', ...filled({ question, reason: textOf(fields, 'reason') }) });
  };
  const close = (): void => {
    setAsks(false);
    button.current?.focus();
  };
  return (
    <div class="controls">
      <button
        type="button"
        aria-label={`Approve ${what}`}
        disabled={isDisabled}
        onClick={() => void orders.send({ kind: 'approve', ...filled({ question }) })}
      >
        {question === undefined ? 'Approve all' : 'Approve'}
      </button>
      <button
        ref={button}
        type="button"
        aria-label={question === undefined ? 'Reject all…' : `Reject… ${what}`}
        aria-expanded={asks}
        disabled={isDisabled}
        onClick={() => setAsks(!asks)}
      >
        {question === undefined ? 'Reject all…' : 'Reject…'}
      </button>
      {asks && (
        <AskForm label={`Reject ${what}`} onSubmit={(fields) => void reject(fields)} onClose={close}>
          <label class="ask-wide">
            Why <span class="quiet">(may be left empty; the code of the agent gets it)</span>
            <input name="reason" maxLength={20_000} data-first />
          </label>
          <button type="submit" class="danger" disabled={orders.isBusy}>
            Reject
          </button>
        </AskForm>
      )}
    </div>
  );
}
