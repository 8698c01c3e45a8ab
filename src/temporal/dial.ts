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

/** The SDK knows no unix sockets, so every connection to a Temporal server begins here. */
export async function dial(address: string): Promise<Dialed> {
  const path = unixSocketPath(address);
  const interceptors = await retriesThatEnd();
  if (path === undefined) return { address, clientOptions: { interceptors }, close: () => Promise.resolve() };
  const relay = await openUnixRelay(path);
  // A proxy that the environment names is no way to this process.
  return { ...relay, clientOptions: { interceptors, channelArgs: { 'grpc.enable_http_proxy': 0 } } };
}
