import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Finding, RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import { AnswerPanel } from './answer-panel.tsx';
import { oneLine, visible } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { agentLink } from './route.ts';

/** What a person wants to know first: what came of it, why, and where to look. */
export function Overview({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const isOver = hasEnded(view.status);
  const statistics = useLoaded(() => data.statistics(view.run), [view.run, isOver]);
  const findings = useMemo(
    () => [...view.findings, ...(statistics.kind === 'loaded' ? statistics.value.findings : [])],
    [view.findings, statistics],
  );
  const problems = findings.filter(({ kind }) => kind !== 'costly' && kind !== 'note');
  return (
    <div class="wide overview">
      {view.reason !== null && view.reason !== '' && view.questions.length === 0 && (
        <section class={view.status === 'failed' ? 'failure' : 'note'}>
          <h2>{view.status === 'failed' ? 'Why it failed' : 'Why it is in this state'}</h2>
          <p class="pre">{visible(view.reason)}</p>
        </section>
      )}
      <section>
        <h2>{problems.length === 0 ? 'Worth a look' : 'What went wrong'}</h2>
        {findings.length === 0 ? (
          <p class="quiet">
            {!isOver
              ? 'Nothing has gone wrong so far.'
              : view.agents.length === 0
                ? 'No agent had begun.'
                : 'Nothing went wrong.'}
          </p>
        ) : (
          <ul class="findings">
            {findings.map((finding, index) => (
              <FindingLine key={index} run={view.run} finding={finding} />
            ))}
          </ul>
        )}
        {statistics.kind === 'loading' && <p class="quiet">Looking through what the agents did…</p>}
      </section>
      <AnswerPanel view={view} />
      <section>
        <h2>Asked</h2>
        <p class="pre prompt" dir="auto">
          {visible(view.prompt.text)}
          {view.prompt.length > view.prompt.text.length && '…'}
        </p>
        <dl class="fact-row">
          {view.repository !== null && (
            <>
              <div class="fact">
                <dt>Repository</dt>
                <dd>{view.repository.name}</dd>
              </div>
              <div class="fact">
                <dt>Commit</dt>
                <dd>
                  {view.repository.commit.slice(0, 12)}
                  {view.repository.branch !== null && ` (${view.repository.branch})`}
                </dd>
              </div>
            </>
          )}
          {view.signature !== null && (
            <div class="fact">
              <dt>Signature</dt>
              <dd>
                <code>{view.signature}</code>
              </dd>
            </div>
          )}
          {view.inputs.map(({ name, files }) => (
            <div key={name} class="fact">
              <dt>Input {name}</dt>
              <dd>
                {files.length === 0
                  ? 'a value'
                  : `${files.slice(0, 3).join(', ')}${files.length > 3 ? `, and ${files.length - 3} more` : ''}`}
              </dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}

const KINDS: Readonly<Record<Finding['kind'], { readonly symbol: string; readonly word: string }>> = {
  failed: { symbol: '✗', word: 'Failed' },
  cancelled: { symbol: '–', word: 'Stopped' },
  unfinished: { symbol: '!', word: 'Unfinished' },
  loop: { symbol: '↻', word: 'Loop' },
  errors: { symbol: '!', word: 'Errors' },
  costly: { symbol: '$', word: 'Cost' },
  note: { symbol: 'i', word: 'Note' },
};
const SHOWN_AGENTS = 12;

function FindingLine({ run, finding }: { readonly run: string; readonly finding: Finding }): ComponentChildren {
  const { symbol, word } = KINDS[finding.kind];
  return (
    <li class={`finding finding-${finding.kind}`}>
      <span class="badge">
        <span aria-hidden="true">{symbol}</span> {word}
      </span>
      <span class="finding-text">
        {oneLine(finding.text)}
        {finding.detail !== undefined && <span class="quiet finding-detail">{finding.detail}</span>}
      </span>
      <span>
        {finding.agents.slice(0, SHOWN_AGENTS).map((id) => (
          <a key={id} class="agent-chip" href={agentLink(run, id, finding.iteration)}>
            {finding.iteration === undefined ? `agent ${id}` : `agent ${id}, iteration ${finding.iteration}`}
          </a>
        ))}
        {finding.agents.length > SHOWN_AGENTS && (
          <span class="quiet">and {finding.agents.length - SHOWN_AGENTS} more</span>
        )}
      </span>
    </li>
  );
}
