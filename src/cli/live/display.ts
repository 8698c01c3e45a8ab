import { describePendingFailure, isSameFailure, type PendingFailure } from '../../client/pending-failure.ts';
import type { RunSnapshot } from '../../results/run-snapshot.ts';
import { asTyped } from '../command-name.ts';
import { formatClock } from './format.ts';
import { describeChanges, totalsLine } from './plain-lines.ts';
import { createScreen } from './screen.ts';
import { oneLine, visibleControls } from './text.ts';
import { renderTree } from './tree.ts';

/** How a run stands, to be shown. */
export interface RunView {
  readonly snapshot: RunSnapshot | undefined;
  readonly status: string;
  readonly reason: string | null;
  /** An activity that has failed and is being retried. */
  readonly pendingFailure: PendingFailure | null;
}

/** Shows a person how a run goes, on standard error. */
export interface Display {
  update(view: RunView): void;
  /** A line of its own. */
  note(line: string): void;
  /** The last update stays to be seen. */
  close(): void;
}

export interface DisplayOptions {
  readonly stream: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly run: string;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Milliseconds between two frames: enough for a spinner, little enough for hundreds of agents. */
const FRAME = 120;
/** Milliseconds of silence after which plain lines say how far the run is. */
const SILENCE = 30_000;
/** Events of one kind that plain lines tell one by one in an update. */
const TOLD_ONE_BY_ONE = 4;

/** A live tree on a terminal, plain lines anywhere else, nothing but notes when quiet. */
export function createDisplay(options: DisplayOptions): Display {
  const { stream, env } = options;
  if (options.quiet) return quietDisplay(stream, env);
  return stream.isTTY && env['TERM'] !== 'dumb' ? liveDisplay(options) : plainDisplay(options);
}

/** NO_COLOR counts when it is there and not empty (no-color.org). */
export function wantsColor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return stream.isTTY && !refused;
}

function quietDisplay(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Display {
  return {
    update: () => undefined,
    note: (line) => void stream.write(`${visibleControls(asTyped(line, env))}\n`),
    close: () => undefined,
  };
}

function liveDisplay({ stream, env, run }: DisplayOptions): Display {
  const screen = createScreen(stream);
  const color = wantsColor(stream, env);
  let view: RunView | undefined;

  function draw(): void {
    if (view === undefined) return;
    const { columns, rows } = screen.size();
    // One line stays free: the last one would scroll.
    screen.draw(
      renderTree({
        ...view,
        reason: view.reason === null ? pendingReason(view) : asTyped(view.reason, env),
        run,
        now: Date.now(),
        columns,
        rows: rows - 1,
        color,
      }),
    );
  }

  const timer = setInterval(draw, FRAME);
  stream.on('resize', draw);
  const showCursor = (): void => screen.close();
  process.once('exit', showCursor);
  return {
    update(next) {
      const first = view === undefined;
      view = next;
      if (first) draw();
    },
    note(line) {
      screen.print(visibleControls(asTyped(line, env)));
    },
    close() {
      clearInterval(timer);
      stream.off('resize', draw);
      process.off('exit', showCursor);
      draw();
      screen.close();
    },
  };
}

function pendingReason({ pendingFailure }: RunView): string | null {
  return pendingFailure === null ? null : describePendingFailure(pendingFailure);
}

function plainDisplay({ stream, env, run, verbose }: DisplayOptions): Display {
  let before: RunView | undefined;
  const shown: PendingFailure[] = [];
  let lastLine = Date.now();

  function line(text: string, snapshot = before?.snapshot): void {
    const time = snapshot === undefined ? '' : `[${formatClock(Date.now() - snapshot.run.started_at)}] `;
    stream.write(`${time}${visibleControls(asTyped(text, env))}\n`);
    lastLine = Date.now();
  }

  return {
    update(view) {
      const { snapshot, status, reason } = view;
      if (status !== before?.status || reason !== before.reason) {
        line(`${run}: ${status}${reason === null ? '' : ` (${oneLine(reason)})`}`, snapshot);
      }
      const { pendingFailure } = view;
      if (pendingFailure !== null && !shown.some((each) => isSameFailure(each, pendingFailure))) {
        line(oneLine(describePendingFailure(pendingFailure)), snapshot);
        shown.push(pendingFailure);
      }
      if (snapshot !== undefined) {
        const changes = describeChanges(before?.snapshot, snapshot, { verbose, most: TOLD_ONE_BY_ONE });
        for (const change of changes) line(change, snapshot);
        if (Date.now() - lastLine > SILENCE && snapshot.run.outcome === undefined) {
          line(totalsLine(snapshot, Date.now()), snapshot);
        }
      }
      before = view;
    },
    note: (text) => line(text),
    close: () => undefined,
  };
}
