import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RunView } from '../src/viewer/model.ts';
import { dollars, oneLine, plural, seconds } from './format.ts';
import { AgentState } from './parts.tsx';
import { agentLink } from './route.ts';
import { parentOf, rowText, treeLines, type TreeLine } from './tree-lines.ts';
import { useRows } from './virtual.ts';

const ROW_HEIGHT = 30;

/** The tree of agents: only the rows in sight are in the page, so a thousand are as quick as ten. */
export function Tree({
  view,
  selected,
}: {
  readonly view: RunView;
  readonly selected: string | null;
}): ComponentChildren {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [filter, setFilter] = useState('');
  const [onlyFailed, setOnlyFailed] = useState(false);
  const [root, setRoot] = useState<string | null>(null);
  const [active, setActive] = useState(selected ?? '0');
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(
    () => treeLines(view.agents, { closed, filter, onlyFailed, root }),
    [view.agents, closed, filter, onlyFailed, root],
  );
  const rows = useRows(scroller, { count: lines.length, height: ROW_HEIGHT });
  const at = lines.findIndex(({ row }) => row.id === active);
  const failed = useMemo(
    () => view.agents.filter(({ status }) => status === 'failed' || status === 'cancelled').length,
    [view.agents],
  );

  const toggle = (id: string, open?: boolean): void =>
    setClosed((before) => {
      const next = new Set(before);
      if (open ?? next.has(id)) next.delete(id);
      else next.add(id);
      return next;
    });
  const move = (to: number): void => {
    const line = lines[Math.max(0, Math.min(lines.length - 1, to))];
    if (line === undefined) return;
    setActive(line.row.id);
    rows.scrollToIndex(lines.indexOf(line), { align: 'auto' });
  };

  useEffect(() => {
    if (selected === null) return;
    setActive(selected);
    // A link leads to it wherever it is.
    setClosed((before) => {
      const next = new Set(before);
      for (let id = parentOf(selected); id !== undefined; id = parentOf(id)) next.delete(id);
      return next.size === before.size ? before : next;
    });
  }, [selected]);
  useEffect(() => {
    const index = lines.findIndex(({ row }) => row.id === selected);
    const { current: element } = scroller;
    if (index < 0 || element === null) return;
    // By hand: the list of rows does not know its height before it was shown.
    const top = index * ROW_HEIGHT;
    // The tree may be higher than what the window shows of it.
    const shown = Math.min(element.clientHeight, window.innerHeight - element.getBoundingClientRect().top);
    const isInSight = top >= element.scrollTop && top + ROW_HEIGHT <= element.scrollTop + shown;
    if (!isInSight) element.scrollTop = top - shown / 2;
  }, [selected, closed]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const line = lines[at];
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 300) / ROW_HEIGHT) - 1);
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => move(at + 1),
      ArrowUp: () => move(at - 1),
      PageDown: () => move(at + page),
      PageUp: () => move(at - page),
      Home: () => move(0),
      End: () => move(lines.length - 1),
      ArrowRight() {
        if (line === undefined || line.children === 0) return;
        if (line.isOpen) move(at + 1);
        else toggle(line.row.id, true);
      },
      ArrowLeft() {
        if (line === undefined) return;
        if (line.isOpen && filter === '' && !onlyFailed) toggle(line.row.id, false);
        else move(lines.findIndex(({ row }) => row.id === parentOf(line.row.id)));
      },
      Enter() {
        if (line !== undefined) location.hash = agentLink(view.run, line.row.id).slice(1);
      },
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step();
  };

  return (
    <section class="tree-pane" aria-label="Agents">
      <div class="tree-tools">
        <input
          type="search"
          aria-label="Find agents by id, task or error"
          placeholder="Find agents"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <button type="button" class="small" aria-pressed={onlyFailed} onClick={() => setOnlyFailed(!onlyFailed)}>
          Failed ({failed})
        </button>
        <button
          type="button"
          class="small"
          onClick={() => setClosed(new Set(view.agents.filter(({ depth }) => depth > 0).map(({ id }) => id)))}
        >
          Collapse
        </button>
        <button type="button" class="small" onClick={() => setClosed(new Set())}>
          Expand
        </button>
        {root === null ? (
          <button
            type="button"
            class="small"
            title={`Show agent ${active} and those below it, and no other`}
            disabled={active === '0'}
            onClick={() => setRoot(active)}
          >
            Only {active}
          </button>
        ) : (
          <button type="button" class="small" aria-pressed={true} onClick={() => setRoot(null)}>
            Only {root} ✕
          </button>
        )}
      </div>
      <p class="unseen" role="status">
        {plural(lines.length, 'agent')} in the tree
      </p>
      <div class="tree-head" aria-hidden="true">
        <span class="tree-task">Agent</span>
        <span class="tree-number tree-iterations">Iterations</span>
        <span class="tree-number tree-time">Time</span>
        <span class="tree-number">Cost</span>
      </div>
      <div
        ref={scroller}
        class="tree"
        role="tree"
        aria-label="Tree of agents"
        tabIndex={0}
        aria-activedescendant={at >= 0 ? `row-${active}` : undefined}
        onKeyDown={onKeyDown}
      >
        <div style={{ height: `${rows.getTotalSize()}px` }} class="rows" role="presentation">
          {rows.getVirtualItems().map(({ index, start }) => {
            const line = lines[index];
            if (line === undefined) return null;
            return (
              <TreeRow
                key={line.row.id}
                line={line}
                top={start}
                isActive={line.row.id === active}
                isSelected={line.row.id === selected}
                onToggle={() => toggle(line.row.id)}
                onOpen={() => {
                  setActive(line.row.id);
                  location.hash = agentLink(view.run, line.row.id).slice(1);
                }}
              />
            );
          })}
        </div>
        {lines.length === 0 && <p class="quiet">No agent matches.</p>}
      </div>
    </section>
  );
}

interface TreeRowProps {
  readonly line: TreeLine;
  readonly top: number;
  readonly isActive: boolean;
  readonly isSelected: boolean;
  readonly onToggle: () => void;
  readonly onOpen: () => void;
}

/** Deeper agents are no longer moved to the right: their id says where they are. */
const MAX_INDENT = 12;

function TreeRow({ line, top, isActive, isSelected, onToggle, onOpen }: TreeRowProps): ComponentChildren {
  const { row, level, children, isOpen } = line;
  const text = rowText(row);
  const shown = text === row.task && line.shared > 0 ? `…${text.slice(line.shared)}` : text;
  return (
    <div
      id={`row-${row.id}`}
      role="treeitem"
      aria-level={level + 1}
      aria-setsize={line.siblings}
      aria-posinset={line.position}
      aria-selected={isSelected}
      aria-expanded={children > 0 ? isOpen : undefined}
      class={`tree-row ${isActive ? 'is-active' : ''} ${isSelected ? 'is-selected' : ''} agent-${row.status}`}
      style={{ transform: `translateY(${top}px)`, paddingLeft: `${6 + Math.min(level, MAX_INDENT) * 14}px` }}
      onClick={onOpen}
    >
      <span
        class="twist"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          if (children > 0) onToggle();
        }}
      >
        {children === 0 ? '' : isOpen ? '▾' : '▸'}
      </span>
      <AgentState row={row} />
      <span class="agent-id">{row.id}</span>
      <span class="tree-task" title={oneLine(text)}>
        {oneLine(shown)}
      </span>
      {children > 0 && !isOpen && <span class="quiet">+{children}</span>}
      <span class="quiet tree-number tree-iterations">
        {row.iteration}
        <span class="unseen"> {row.iteration === 1 ? 'iteration' : 'iterations'}</span>
      </span>
      <span class="quiet tree-number tree-time">{seconds(row.execution_time)}</span>
      <span class="quiet tree-number">{dollars(row.usage.cost)}</span>
    </div>
  );
}
