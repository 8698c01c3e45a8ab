import type { ConnectionOptions } from '@temporalio/client';
import { retriesThatEnd } from './late-retries.ts';
import { openUnixRelay, unixSocketPath } from './unix-relay.ts';

/** What Temporal's SDK can connect to. */
export interface Dialed {
  /** `host:port`, good in this process and until it is closed. */
  readonly address: string;
  /** For connections of `@temporalio/client`. */
  readonly clientOptions: Pick<ConnectionOptions, 'channelArgs' | 'interceptors'>;
  close(): Promise<void>;
}

const MAX_RECONNECT_PAUSE_MS = 1000;

/** The SDK knows no unix sockets, so every connection to a Temporal server begins here. */
export async function dial(address: string): Promise<Dialed> {
  const path = unixSocketPath(address);
  const interceptors = await retriesThatEnd();
  if (path === undefined) return { address, clientOptions: { interceptors }, close: () => Promise.resolve() };
  const relay = await openUnixRelay(path);
  const channelArgs = {
    // A proxy that the environment names is no way to this process.
    'grpc.enable_http_proxy': 0,
    // The embedded server that was killed is back within seconds; by itself the pause grows to two minutes.
    'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_PAUSE_MS,
  };
  return { ...relay, clientOptions: { interceptors, channelArgs } };
}
