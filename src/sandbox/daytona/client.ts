import type { Daytona } from '@daytonaio/sdk';
import { TypedError } from '../../domain/failures.ts';

/** Milliseconds a single request may take; the SDK's own limit is a day. */
export const REQUEST_TIMEOUT_MS = 60_000;

const DEFAULT_API_URL = 'https://app.daytona.io/api';

export interface DaytonaClientOptions {
  /** `DAYTONA_API_KEY`, `DAYTONA_API_URL` and `DAYTONA_TARGET` are read from it when they are needed. */
  readonly environment: NodeJS.ProcessEnv;
  readonly requestTimeoutMs: number;
}

/** Clients of the SDK, one for each region, made when one is needed: loading it takes a third of a second. */
export class DaytonaClients {
  readonly #options: DaytonaClientOptions;
  readonly #clients = new Map<string, Promise<Daytona>>();

  constructor(options: DaytonaClientOptions) {
    this.#options = options;
  }

  /** @throws TypedError `Sandbox.Unavailable` where there is no key. */
  async open(target?: string): Promise<Daytona> {
    const region = target ?? presentIn(this.#options.environment, 'DAYTONA_TARGET');
    const known = this.#clients.get(region ?? '');
    if (known !== undefined) return known;
    const made = this.#make(requireDaytonaKey(this.#options.environment), region);
    this.#clients.set(region ?? '', made);
    made.catch(() => this.#clients.delete(region ?? ''));
    return made;
  }

  async #make(apiKey: string, target: string | undefined): Promise<Daytona> {
    const { Daytona: Client } = await import('@daytonaio/sdk');
    return new Client({
      apiKey,
      apiUrl: daytonaApiUrl(this.#options.environment),
      requestTimeoutMs: this.#options.requestTimeoutMs,
      ...(target === undefined ? {} : { target }),
    });
  }

  /** Ends the connections over which the SDK is told of changes. */
  async close(): Promise<void> {
    const clients = await Promise.allSettled(this.#clients.values());
    this.#clients.clear();
    for (const client of clients) {
      if (client.status === 'fulfilled') await client.value[Symbol.asyncDispose]();
    }
  }
}

/** @throws TypedError `Sandbox.Unavailable` where there is none. */
export function requireDaytonaKey(environment: NodeJS.ProcessEnv): string {
  const key = presentIn(environment, 'DAYTONA_API_KEY');
  if (key !== undefined) return key;
  throw new TypedError(
    'Sandbox.Unavailable',
    'DAYTONA_API_KEY is not set, which sandbox.provider: daytona needs: export DAYTONA_API_KEY=... where the worker ' +
      'runs (a key from https://app.daytona.io), or use local sandboxes (sandbox.provider: local).',
  );
}

export function daytonaApiUrl(environment: NodeJS.ProcessEnv): string {
  return presentIn(environment, 'DAYTONA_API_URL') ?? DEFAULT_API_URL;
}

function presentIn(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === '' ? undefined : value;
}
