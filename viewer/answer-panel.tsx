import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Provenance, RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import { AnswerTable, isTable } from './answer-table.tsx';
import { count, plural, visible } from './format.ts';
import { highlight } from './highlight.tsx';
import { useData, useLoaded } from './hooks.ts';
import { Copy, Download, Show } from './parts.tsx';
import { agentLink } from './route.ts';

const SOURCES: Readonly<Record<string, string>> = {
  final: 'given to FINAL',
  text: 'the text of replies without code: FINAL was never called',
  final_answer: 'asked for when the iterations were used up',
  partial: 'what was known last',
};

export function AnswerPanel({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const { answer, run } = view;
  if (answer === null) {
    return (
      <section>
        <h2>Answer</h2>
        <p class="quiet">{hasEnded(view.status) ? 'It ended without an answer.' : 'It has given no answer yet.'}</p>
      </section>
    );
  }
  const download = data.link(run, 'answer');
  const isCut = answer.text.length < answer.length;
  return (
    <section>
      <h2>
        Answer <small class="quiet">{SOURCES[view.answer_source ?? 'final']}</small>
      </h2>
      <p class="tools">
        <Copy what="answer" text={answer.text} />
        {download !== undefined && <Download link={download} />}
      </p>
      {answer.value === undefined ? (
        <div class="answer pre" dir="auto">
          {visible(answer.text)}
          {isCut && (
            <p class="quiet">
              The first {count(answer.text.length)} of {count(answer.length)} characters.
            </p>
          )}
        </div>
      ) : (
        <Fields run={run} value={answer.value} />
      )}
      <Origin view={view} />
    </section>
  );
}

function Fields({ run, value }: { readonly run: string; readonly value: unknown }): ComponentChildren {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return <Value run={run} name="" value={value} />;
  return (
    <dl class="fields">
      {Object.entries(value).map(([name, field]) => (
        <div key={name} class="field">
          <dt>{visible(name)}</dt>
          <dd>
            <Value run={run} name={name} value={field as unknown} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Value({
  run,
  name,
  value,
}: {
  readonly run: string;
  readonly name: string;
  readonly value: unknown;
}): ComponentChildren {
  if (isTable(value)) return <AnswerTable run={run} field={name} rows={value} />;
  if (typeof value === 'string')
    return (
      <div class="pre" dir="auto">
        {visible(value)}
      </div>
    );
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null)) {
    return (
      <ul>
        {value.slice(0, 500).map((item, index) => (
          <li key={index}>{visible(String(item))}</li>
        ))}
        {value.length > 500 && <li class="quiet">and {value.length - 500} more</li>}
      </ul>
    );
  }
  return (
    <pre tabIndex={0} role="group" aria-label={name || 'Answer'}>
      {highlight(visible(JSON.stringify(value, null, 2)), 'json')}
    </pre>
  );
}

/** Where the answer comes from: asked for when it is opened. */
function Origin({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="origin" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Where this comes from</summary>
      {isOpen && <OriginContent run={view.run} load={() => data.provenance(view.run)} />}
    </details>
  );
}

function OriginContent({
  run,
  load,
}: {
  readonly run: string;
  readonly load: () => Promise<Provenance>;
}): ComponentChildren {
  const loaded = useLoaded(load, [run]);
  return (
    <Show of={loaded} what="where it comes from">
      {({ agent, iteration, parts, sources }) => (
        <>
          {iteration !== null && (
            <p>
              The code of agent {agent} gave it in <a href={agentLink(run, agent, iteration)}>iteration {iteration}</a>.
              Before, its code had been given {plural(sources.length, 'answer')} of sub-agents and models.
            </p>
          )}
          <p class="quiet">
            Found by words in a row that the answer shares with what the code was given and printed: likely, not proven.
          </p>
          <ol class="origin-parts">
            {parts.map((part, index) => (
              <li key={index}>
                <blockquote dir="auto">
                  {part.field !== null && <code>{part.field}</code>} {visible(part.text.slice(0, 500))}
                </blockquote>
                {part.from.length === 0 ? (
                  <p class="quiet">Not found in what the code was given or printed.</p>
                ) : (
                  <ul>
                    {part.from.map((from, at) => (
                      <li key={at}>
                        {from.call === null && from.iteration !== null ? (
                          <a href={agentLink(run, agent, from.iteration)}>printed in iteration {from.iteration}</a>
                        ) : from.agent !== null ? (
                          <a href={agentLink(run, from.agent)}>agent {from.agent}</a>
                        ) : (
                          <a href={agentLink(run, agent, from.iteration)}>llm_query in iteration {from.iteration}</a>
                        )}
                        : <q class="quiet">{visible(from.excerpt)}</q>
                      </li>
                    ))}
                  </ul>
                )}
              </li>
            ))}
          </ol>
        </>
      )}
    </Show>
  );
}
