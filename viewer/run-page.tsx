import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import { AgentPane } from './agent-pane.tsx';
import { Controls } from './controls.tsx';
import { CostsTab } from './costs-tab.tsx';
import { dollars, plural, seconds, time, visible } from './format.ts';
import { RunContext, useData, useNow, useRun } from './hooks.ts';
import { FindingLine, Overview } from './overview.tsx';
import { Show, Status } from './parts.tsx';
import { PatchTab } from './patch-tab.tsx';
import { Questions } from './questions.tsx';
import { agentLink, runLink, TABS, type Tab } from './route.ts';
import { SettingsTab } from './settings-tab.tsx';
import { TimelineTab } from './timeline-tab.tsx';
import { Tree } from './tree.tsx';

export interface RunPageProps {
  readonly run: string;
  readonly tab: Tab;
  readonly agent: string | null;
  readonly iteration: number | null;
}

const NAMES: Readonly<Record<Tab, string>> = {
  overview: 'Overview',
  agents: 'Agents',
  timeline: 'Timeline',
  costs: 'Costs',
  patch: 'Patch',
  settings: 'Settings',
};

export function RunPage({ run, tab, agent, iteration }: RunPageProps): ComponentChildren {
  const loaded = useRun(run);
  useEffect(() => {
    document.title = agent === null ? `${run} · ${NAMES[tab]}` : `${run} · agent ${agent}`;
  }, [run, tab, agent]);
  return (
    <Show of={loaded} what={`run ${run}`}>
      {({ view, trouble, refresh }) => (
        <RunContext.Provider value={{ view, refresh }}>
          <RunHead view={view} trouble={trouble} agent={agent} iteration={iteration} />
          <nav class="tabs" aria-label="Parts of the run">
            {TABS.filter((each) => each !== 'patch' || view.patch !== null).map((each) => (
              <a key={each} href={runLink(run, each)} aria-current={each === tab ? 'page' : undefined}>
                {NAMES[each]}
                {each === 'agents' ? ` (${view.totals.agents})` : ''}
              </a>
            ))}
          </nav>
          <TabContent view={view} tab={tab} agent={agent} iteration={iteration} />
        </RunContext.Provider>
      )}
    </Show>
  );
}

function RunHead({
  view,
  trouble,
  agent,
  iteration,
}: Pick<RunPageProps, 'agent' | 'iteration'> & {
  readonly view: RunView;
  readonly trouble: string | null;
}): ComponentChildren {
  const isOver = hasEnded(view.status);
  const now = useNow(!isOver);
  const { totals } = view;
  const spent = isOver || view.started_at === null ? view.execution_time : (now - view.started_at) / 1000;
  const data = useData();
  return (
    <div class="run-head">
      <h1>
        {view.run} <Status status={view.status} />{' '}
        {view.questions.length > 0 && <span class="status status-paused">waiting for you</span>}
      </h1>
      <p class="facts">
        <strong>{dollars(totals.usage.cost)}</strong>
        <span>{seconds(spent)}</span>
        <span>
          {plural(totals.agents, 'agent')}
          {!isOver && ` (${totals.done} done)`}
        </span>
        <span>depth {totals.max_depth}</span>
        <span>{plural(totals.iterations, 'iteration')}</span>
        <span>{(totals.usage.input_tokens + totals.usage.output_tokens).toLocaleString('en-US')} tokens</span>
        {view.started_at !== null && <span>started {time(view.started_at)}</span>}
        {view.schedule !== null && <span>started by schedule {view.schedule}</span>}
        {view.from !== null && (
          <span>
            forked from{' '}
            <a href={agentLink(view.from.run, view.from.agent, view.from.iteration || null)}>
              {view.from.run}, agent {view.from.agent}, iteration {view.from.iteration}
            </a>
          </span>
        )}
      </p>
      <div role="status" class="live">
        {trouble !== null && <p class="error-text">{trouble} What is shown may be old.</p>}
        {trouble === null && !isOver && data.isLive && <p class="quiet">Live: this page follows the run.</p>}
      </div>
      {view.missing.length > 0 && (
        <div class="note">
          {view.missing.map((each) => (
            <p key={each}>{visible(each)}</p>
          ))}
        </div>
      )}
      <Controls agent={agent} iteration={iteration} />
      <Questions />
    </div>
  );
}

function TabContent(props: Omit<RunPageProps, 'run'> & { readonly view: RunView }): ComponentChildren {
  const { view, tab, agent, iteration } = props;
  switch (tab) {
    case 'overview':
      return <Overview view={view} />;
    case 'agents':
      return (
        <div class={`panes ${agent === null ? 'shows-tree' : 'shows-agent'}`}>
          <Tree view={view} selected={agent} />
          {agent === null ? (
            <section class="agent-pane empty">
              <p class="quiet">Choose an agent to see what it did. Arrow keys move in the tree, Enter opens.</p>
              <ul class="findings">
                {view.findings
                  .filter(({ agents }) => agents.length > 0)
                  .map((finding, index) => (
                    <FindingLine key={index} run={view.run} finding={finding} />
                  ))}
              </ul>
            </section>
          ) : (
            <AgentPane key={agent} view={view} agent={agent} iteration={iteration} />
          )}
        </div>
      );
    case 'timeline':
      return <TimelineTab view={view} />;
    case 'costs':
      return <CostsTab view={view} />;
    case 'patch':
      return <PatchTab view={view} />;
    default:
      return <SettingsTab view={view} />;
  }
}
