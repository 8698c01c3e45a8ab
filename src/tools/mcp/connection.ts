import { resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { McpServerConfig } from '../../domain/config.ts';
import { TypedError } from '../../domain/failures.ts';
import { messageOf } from '../call-tool.ts';
import { lastWords } from './last-words.ts';
import { ProcessTransport } from './process-transport.ts';

export interface McpServerOptions {
  readonly name: string;
  readonly config: McpServerConfig;
  /** What relative paths begin at. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  /** Seconds. */
  readonly startTimeout: number;
}

/** A client, and what it speaks through. */
interface Live {
  readonly client: Client;
  readonly transport: Transport;
}

/** A server's process or session: made at the first use, and again at the next one after it has ended. */
export class Connection {
  readonly #options: McpServerOptions;
  #live: Promise<Live> | undefined;
  #starts = 0;
  #isClosed = false;

  constructor(options: McpServerOptions) {
    this.#options = options;
  }

  /**
   * @param use - asks the server; where that has no session of ours any more, it is asked once again
   * @param signal - what `use` heeds: after it was aborted nothing is wrong with the connection
   * @throws whatever `use` throws; TypedError `Tool.Failed` where the server does not start
   */
  async with<T>(use: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const live = this.#connected();
    const { client } = await live;
    try {
      return await use(client);
    } catch (error) {
      if (signal.aborted || !isBroken(error)) throw error;
      await this.#drop(live);
      // It did not take the request.
      if (error instanceof StreamableHTTPError && error.code === 404) return use((await this.#connected()).client);
      throw this.#lost(error, await live);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const live = await this.#live?.catch(() => undefined);
    this.#live = undefined;
    if (live !== undefined) await end(live);
  }

  #connected(): Promise<Live> {
    if (this.#live !== undefined) return this.#live;
    const live = this.#start();
    this.#live = live;
    live.catch(() => {
      if (this.#live === live) this.#live = undefined;
    });
    return live;
  }

  async #start(): Promise<Live> {
    const { name, log, startTimeout } = this.#options;
    if (this.#isClosed) throw new TypedError('Tool.Failed', `the MCP server ${name} was shut down with its worker`);
    this.#starts += 1;
    if (this.#starts > 1) log(`The MCP server ${name} is started again: it had ended.`);
    const transport = transportFor(this.#options);
    const client = new Client({ name: 'durable-rlm', version: '1' });
    const live = { client, transport };
    const late = AbortSignal.timeout(startTimeout * 1000);
    try {
      // `connect` waits for the process without a limit of its own.
      await Promise.race([
        client.connect(transport, { signal: late, timeout: startTimeout * 1000 + 1000 }),
        aborted(late),
      ]);
    } catch (error) {
      await end(live);
      const why = late.aborted ? `it did not answer within ${startTimeout} s` : messageOf(error);
      throw new TypedError('Tool.Failed', `the MCP server ${name} does not start: ${why}${wrote(transport)}`, {
        cause: error,
      });
    }
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's only way
    client.onclose = () => {
      if (this.#live !== undefined) void this.#forget(live);
    };
    return live;
  }

  async #forget(live: Live): Promise<void> {
    const current = this.#live;
    if (current !== undefined && (await current.catch(() => undefined)) === live && this.#live === current) {
      this.#live = undefined;
    }
  }

  async #drop(live: Promise<Live>): Promise<void> {
    if (this.#live === live) this.#live = undefined;
    await end(await live);
  }

  #lost(error: unknown, { transport }: Live): TypedError {
    const { name } = this.#options;
    return new TypedError('Tool.Failed', `the MCP server ${name} was lost: ${messageOf(error)}${wrote(transport)}`, {
      cause: error,
    });
  }
}

/** Whether the connection is of no more use. What a server answers, be it an error, shows that it is. */
function isBroken(error: unknown): boolean {
  if (error instanceof McpError) return (error.code as ErrorCode) === ErrorCode.ConnectionClosed;
  if (error instanceof TypedError) return false;
  return !(error instanceof Error && error.name === 'AbortError');
}

function wrote(transport: Transport): string {
  const text = transport instanceof ProcessTransport ? transport.stderr : '';
  return text === '' ? '' : `. Its standard error ends with: ${lastWords(text)}`;
}

async function end({ client, transport }: Live): Promise<void> {
  if (transport instanceof StreamableHTTPClientTransport) {
    await Promise.race([
      transport.terminateSession().catch(() => undefined),
      aborted(AbortSignal.timeout(1000)).catch(() => undefined),
    ]);
  }
  await client.close().catch(() => undefined);
  await transport.close().catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}

/** A setting of a server that cannot be used; the message names it. */
export class SettingFault extends TypedError {
  constructor(message: string) {
    super('Input.Invalid', message);
  }
}

function transportFor({ name, config, cwd, env }: McpServerOptions): Transport {
  const { command, args = [], env_vars = [], url, header_env = {} } = config;
  const valueOf = (setting: string, variable: string): string => {
    const value = env[variable];
    if (value !== undefined && value !== '') return value;
    throw new SettingFault(`tools.mcp.${name}.${setting}: ${variable} is not set; set it where the worker runs`);
  };
  if (command !== undefined) {
    const given = env_vars.map((variable) => [variable, valueOf('env_vars', variable)]);
    const always = ['PATH', 'HOME'].flatMap((variable) =>
      env[variable] === undefined ? [] : [[variable, env[variable]]],
    );
    return new ProcessTransport({
      command,
      args,
      cwd: resolve(cwd, config.cwd ?? '.'),
      env: Object.fromEntries([...always, ...given]) as Record<string, string>,
    });
  }
  const headers = Object.entries(header_env).map(([header, variable]) => {
    const value = valueOf(`header_env.${header}`, variable).trim();
    if (/^[\t\u0020-\u007E\u0080-\u00FF]+$/.test(value)) return [header, value] as const;
    throw new SettingFault(`tools.mcp.${name}.header_env: what ${variable} holds cannot be a header`);
  });
  return new StreamableHTTPClientTransport(new URL(url ?? ''), {
    requestInit: { headers: Object.fromEntries(headers) },
  });
}
