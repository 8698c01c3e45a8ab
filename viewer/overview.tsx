import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Finding, RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import { WithAgentLinks } from './agent-links.tsx';
import { AnswerPanel } from './answer-panel.tsx';
import { modelOf } from './fork-form.tsx';
import { oneLine, plural, visible } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { NoPatch } from './patch-tab.tsx';
import { agentLink, runLink } from './route.ts';

/** What a person wants to know first: what came of it, why, and where to look. */
export function Overview({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const isOver = hasEnded(view.status);
  const statistics = useLoaded(() => data.statistics(view.run), [view.run, isOver]);
  const findings = useMemo(
    () => [...view.findings, ...(statistics.kind === 'loaded' ? statistics.value.findings : [])],
    [view.findings, statistics],
  );
  const [root, shown] = splitFindings(view, findings);
  const problems = findings.filter(({ kind }) => kind !== 'costly' && kind !== 'note');
  return (
    <div class="wide overview">
      {view.reason !== null && view.reason !== '' && view.questions.length === 0 && (
        <section class={view.status === 'failed' ? 'failure' : 'note'}>
          <h2>{view.status === 'failed' ? 'Why it failed' : 'Why it is in this state'}</h2>
          <p class="pre">{visible(view.reason)}</p>
          {root !== undefined && (
            <p>
              <AgentLinks run={view.run} finding={root} />{' '}
              {root.detail !== undefined && <span class="quiet">{root.detail}</span>}
            </p>
          )}
        </section>
      )}
      <section>
        <h2>{problems.length === 0 ? 'Worth a look' : 'What went wrong'}</h2>
        {shown.length === 0 && root === undefined ? (
          <p class="quiet">
            {!isOver
              ? 'Nothing has gone wrong so far.'
              : view.agents.length === 0
                ? 'No agent had begun.'
                : 'Nothing went wrong.'}
          </p>
        ) : (
          <ul class="findings">
            {shown.map((finding, index) => (
              <FindingLine key={index} run={view.run} finding={finding} />
            ))}
          </ul>
        )}
        {statistics.kind === 'loading' && <p class="quiet">Looking through what the agents did…</p>}
      </section>
      <AnswerPanel view={view} />
      {(view.patch !== null || view.no_patch !== null) && (
        <section>
          <h2>Patch</h2>
          {view.patch === null ? (
            <NoPatch view={view} />
          ) : (
            <p>
              <a href={runLink(view.run, 'patch')}>What it changed</a>{' '}
              <span class="quiet">{plural(view.patch, 'byte')}</span>
            </p>
          )}
        </section>
      )}
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
          {modelOf(view.config) !== undefined && (
            <div class="fact">
              <dt>Model</dt>
              <dd>{visible(modelOf(view.config) ?? '')}</dd>
            </div>
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

/**
 * Findings without what is said elsewhere: why the root failed, where that is why the run did, and why there is no patch.
 *
 * @returns the first of these, which the reason of the run is shown with, and all others
 */
function splitFindings(
  view: RunView,
  findings: readonly Finding[],
): readonly [root: Finding | undefined, shown: readonly Finding[]] {
  const error = view.agents[0]?.error;
  const isReason = typeof error === 'string' && error !== '' && view.reason?.includes(error) === true;
  const root = isReason ? findings.find(({ kind, agents }) => kind === 'failed' && agents.includes('0')) : undefined;
  const patch = view.no_patch?.reason ?? undefined;
  return [root, findings.filter((each) => each !== root && (each.kind !== 'note' || each.text !== patch))];
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

export function FindingLine({ run, finding }: { readonly run: string; readonly finding: Finding }): ComponentChildren {
  const { symbol, word } = KINDS[finding.kind];
  return (
    <li class={`finding finding-${finding.kind}`}>
      <span class="badge">
        <span aria-hidden="true">{symbol}</span> {word}
      </span>
      <span class="finding-text">
        <WithAgentLinks run={run} text={oneLine(finding.text)} iteration={finding.iteration} />
        {finding.detail !== undefined && (
          <span class="quiet finding-detail">
            <WithAgentLinks run={run} text={finding.detail} />
          </span>
        )}
        {(finding.agents.length > 1 || finding.iteration !== undefined) && (
          <span class="finding-agents">
            <AgentLinks run={run} finding={finding} />
          </span>
        )}
      </span>
    </li>
  );
}

function AgentLinks({ run, finding }: { readonly run: string; readonly finding: Finding }): ComponentChildren {
  const { agents, iteration } = finding;
  return (
    <>
      {agents.slice(0, SHOWN_AGENTS).map((id) => (
        <a key={id} class="agent-chip" href={agentLink(run, id, iteration)}>
          {iteration === undefined ? `agent ${id}` : `agent ${id}, iteration ${iteration}`}
        </a>
      ))}
      {agents.length > SHOWN_AGENTS && <span class="quiet">and {agents.length - SHOWN_AGENTS} more</span>}
    </>
  );
}
