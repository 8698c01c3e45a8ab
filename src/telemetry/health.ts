import { errorMessage } from '../domain/error-message.ts';
import type { Route } from './monitoring-server.ts';

export interface HealthSources {
  /** What is wrong with the worker, one sentence each; empty: it polls. */
  readonly problems: () => readonly string[];
  /** Whether it has been asked to stop. */
  readonly isDraining: () => boolean;
  /** @throws when the Temporal server does not answer within the time, in milliseconds */
  readonly askServer: (milliseconds: number) => Promise<void>;
}

const SERVER_TIME = 2000;
/** Milliseconds for which the server's answer is taken again. */
const FRESH = 1000;

/**
 * `/health`: 200 while the worker polls, or ends in good order, and the server answers; 503 with the reasons else.
 * `/ready`: the same, but 503 as soon as it has been asked to stop.
 */
export function healthRoutes(sources: HealthSources): Readonly<Record<'/health' | '/ready', Route>> {
  let last: { readonly at: number; readonly answer: Promise<string | undefined> } | undefined;

  function serverProblem(): Promise<string | undefined> {
    if (last === undefined || performance.now() - last.at >= FRESH) {
      const answer = sources.askServer(SERVER_TIME).then(
        () => undefined,
        (error: unknown) => `the Temporal server does not answer: ${errorMessage(error)}`,
      );
      last = { at: performance.now(), answer };
    }
    return last.answer;
  }

  const answer = async (draining: readonly string[]): ReturnType<Route> => {
    const server = await serverProblem();
    const own = sources.isDraining() ? draining : sources.problems();
    const reasons = [...own, ...(server === undefined ? [] : [server])];
    const state = sources.isDraining() ? 'draining' : 'running';
    const body = reasons.length === 0 ? { status: 'ok', state } : { status: 'failing', state, reasons };
    return { status: reasons.length === 0 ? 200 : 503, type: 'application/json', body: `${JSON.stringify(body)}\n` };
  };
  return {
    '/health': () => answer([]),
    '/ready': () => answer(['the worker has been asked to stop']),
  };
}
