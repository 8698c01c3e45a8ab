import { errorMessage } from '../domain/error-message.ts';
import { announceBackground, ensureBackground } from './background.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { hostWorker } from './host-worker.ts';
import { catchInterrupts } from './interrupts.ts';
import { say, type Io } from './io.ts';
import type { TalkOptions, TemporalOptions } from './options.ts';
import { refuseDetachedTools } from './open-tools.ts';
import { introduceCli } from './introduce-cli.ts';
import { announceRuns } from './other-runs.ts';
import { CommandError } from './report-error.ts';
import { withSession, type Session } from './session.ts';
import type { ResolvedTemporal } from '../temporal/connection.ts';
import type { UiProxy } from '../temporal/ui-proxy.ts';

export interface ServeOptions extends TemporalOptions, TalkOptions {
  readonly detach?: boolean;
  /** Serve Temporal's web interface. */
  readonly ui?: boolean;
  /** This is the background process. */
  readonly inBackground?: boolean;
  readonly tools?: readonly string[];
}

/** `rlm up`: the server, where none is named, and a worker. */
export function serve(io: Io, options: ServeOptions): Promise<number> {
  const talk = (line: string): void => {
    if (options.quiet !== true) say(io, line);
  };
  return withSession(io, options, async (session) => {
    if (options.detach === true) {
      refuseDetachedTools(options.tools ?? []);
      const { serves, log, process: identity } = await ensureBackground(session, options, talk);
      talk(`A worker for ${serves} is in the background (pid ${identity.pid}, log: ${log}). rlm down stops it.`);
      const embedded = (await session.findTemporal())?.temporal.embedded;
      if (embedded !== undefined) talk(introduceCli(embedded, session.env));
      return EXIT_DONE;
    }
    const announcement = options.inBackground === true ? announceBackground(session, options) : undefined;
    const interrupts = catchInterrupts();
    try {
      return await work(io, session, { ...options, talk, interrupts, onReady: () => announcement?.ready() });
    } finally {
      interrupts.close();
      announcement?.withdraw();
    }
  });
}

interface Serving extends ServeOptions {
  readonly talk: (line: string) => void;
  readonly interrupts: ReturnType<typeof catchInterrupts>;
  readonly onReady: () => void;
}

async function work(io: Io, session: Session, options: Serving): Promise<number> {
  const { talk, interrupts } = options;
  const opened = await session.openTemporal({ log: talk });
  const { temporal } = opened;
  const { embedded } = temporal;
  talk(`Temporal: ${temporal.address}, namespace ${temporal.namespace}`);
  if (embedded !== undefined && options.inBackground !== true) talk(introduceCli(embedded, session.env));
  const ui = options.ui === true ? await serveUi(temporal) : undefined;
  if (ui !== undefined) talk(`Its web interface, for you alone while this command runs: ${ui.link}`);
  await announceRuns(session, opened, { log: talk });
  const worker = await hostWorker(session, temporal, (line) => say(io, line), { toolFiles: options.tools });
  talk(
    `Working on task queue ${session.taskQueue}, on host ${worker.host}. Ctrl-C stops it; runs continue when a worker is back.`,
  );
  options.onReady();
  const failed = worker.running.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => {
      throw new CommandError(`The worker failed: ${errorMessage(error)}`, 1);
    },
  );
  try {
    await Promise.race([interrupts.next(), failed]);
  } finally {
    talk('Stopping.');
    // Who cannot wait presses again.
    void interrupts.next().then(() => process.exit(1));
    await worker.close().catch(() => undefined);
    await ui?.close();
  }
  return EXIT_DONE;
}

async function serveUi({ address, embedded }: ResolvedTemporal): Promise<UiProxy> {
  if (embedded === undefined) {
    throw new CommandError(
      `--ui is for the embedded server. The one at ${address} has a web interface of its own, or none.`,
    );
  }
  const { startUiProxy } = await import('../temporal/ui-proxy.ts');
  return startUiProxy(embedded.uiSocket);
}
