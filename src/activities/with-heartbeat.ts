import { Context } from '@temporalio/activity';

/** Milliseconds between heartbeats; the time limit is five of them. */
const INTERVAL_MS = 1000;

/** Runs `work` with a heartbeat every second, and with the signal that a cancellation fires. */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  // What an earlier attempt left is kept for the next one.
  const timer = setInterval(() => context.heartbeat(context.info.heartbeatDetails), INTERVAL_MS);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}
