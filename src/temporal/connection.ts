import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { type ClientConnectConfig, loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { dataConversion } from '../encryption/data-conversion.ts';
import { errorMessage } from '../domain/error-message.ts';
import { defaultDatabaseFile, type DevServer, type DevServerOptions, startOrAttachDevServer } from './dev-server.ts';
import { devServerFiles } from './dev-server-files.ts';
import { isSocketOf } from './dev-server-sockets.ts';
import { dial, type Dialed } from './dial.ts';
import { TemporalSetupError } from './errors.ts';
import { networkFault } from './network-fault.ts';
import { installRuntime } from './runtime.ts';
import { unixSocketPath } from './unix-relay.ts';

/** What says which Temporal server to use; the first that names an address counts, in the order of the fields. */
export interface TemporalChoice {
  /** From the command line: `host:port`, or `unix:///path`. */
  readonly address?: string | undefined;
  readonly namespace?: string | undefined;
  /** Profile of Temporal's configuration file; it must exist there. */
  readonly profile?: string | undefined;
  /** `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_PROFILE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`, ... */
  readonly env: NodeJS.ProcessEnv;
  /** The `temporal` section of the run's configuration. */
  readonly config?: { readonly address?: string | undefined; readonly namespace?: string | undefined };
  /** Of the embedded server. An address that leads to it, such as that of the profile which `rlm up` writes, names no other. */
  readonly databaseFile?: string;
}

export interface TemporalTarget {
  readonly address: string;
  readonly namespace: string;
  /** TLS, API key and headers that come with it. */
  readonly options: ClientConnectConfig['connectionOptions'];
  /** Milliseconds in which the server must answer. Default 6 s. */
  readonly timeout?: number;
  /** Encrypts what the server is given; absent without a key. */
  readonly dataConverter?: DataConverter;
}

/** A server that answers, and a namespace that exists on it. */
export interface TemporalConnection {
  readonly address: string;
  readonly namespace: string;
  /** Names the cluster behind the address, whatever the address is called; to tell one's own leftovers from others'. */
  readonly clusterId: string;
  readonly connection: Connection;
  readonly client: Client;
  /** The connection a worker needs; each call makes one, which its caller closes before this. */
  connectWorker(): Promise<NativeConnection>;
  close(): Promise<void>;
}

/** A connection and, where it is ours, the embedded server behind it. */
export interface ResolvedTemporal extends TemporalConnection {
  readonly embedded: DevServer | undefined;
}

/** Milliseconds in which a server must answer; a connection that is refused is tried again for as long. */
const CONNECT_TIME = 6000;
/** The same for the embedded server: one that was killed is started again meanwhile, by the process that holds it. */
const EMBEDDED_CONNECT_TIME = 30_000;
const RETRY_PAUSE = 50;
const DEFAULT_NAMESPACE = 'default';

/**
 * The server that was asked for; undefined when none was, so that the embedded one serves.
 *
 * @throws TemporalSetupError when the profile or its files cannot be read, or a profile asked for has no address.
 */
export function chooseTemporal(choice: TemporalChoice): TemporalTarget | undefined {
  const loaded = loadProfile(choice);
  const address = choice.address ?? loaded.connectionOptions.address ?? choice.config?.address;
  const namespace = namespaceOf(choice, loaded);
  if (address === undefined && choice.profile !== undefined) {
    throw new TemporalSetupError(
      `Temporal's profile "${choice.profile}" names no address. Add one (temporal config set --profile ` +
        `${choice.profile} --prop address --value host:port), or give --address.`,
    );
  }
  if (address === undefined || isEmbedded(address, choice)) return undefined;
  return { address, namespace, options: { ...loaded.connectionOptions, address }, ...dataConversion(choice.env) };
}

function isEmbedded(address: string, { databaseFile }: TemporalChoice): boolean {
  const socket = unixSocketPath(address);
  return socket !== undefined && databaseFile !== undefined && isSocketOf(devServerFiles(databaseFile), socket);
}

/**
 * Connects and makes sure that the server answers and the namespace exists.
 *
 * @throws TemporalSetupError within the timeout of the target and 4 s.
 */
export async function connect(target: TemporalTarget): Promise<TemporalConnection> {
  const { address, namespace } = target;
  const dialed = await dial(address);
  const connection = await prepareConnection(target, dialed);
  const close = async (): Promise<void> => {
    await connection.close();
    await dialed.close();
  };
  try {
    const clusterId = await connection.withDeadline(Date.now() + timeoutOf(target), () =>
      introduce(connection, target),
    );
    return {
      address,
      namespace,
      clusterId,
      connection,
      client: new Client({
        connection,
        namespace,
        ...(target.dataConverter === undefined ? {} : { dataConverter: target.dataConverter }),
      }),
      connectWorker: () => connectWorker(target, dialed),
      close,
    };
  } catch (error) {
    await close();
    throw error instanceof TemporalSetupError ? error : await unreachable(target, error);
  }
}

/** The server that was asked for, else the embedded one, started when it does not run. `close` releases it too. */
export async function resolveTemporal(
  choice: Omit<TemporalChoice, 'databaseFile'>,
  embedded: Omit<DevServerOptions, 'namespace'>,
): Promise<ResolvedTemporal> {
  const databaseFile = embedded.databaseFile ?? defaultDatabaseFile(embedded.stateDirectory);
  const target = chooseTemporal({ ...choice, databaseFile });
  if (target !== undefined) return { ...(await connect(target)), embedded: undefined };
  const server = await startOrAttachDevServer({ ...embedded, namespace: namespaceOf(choice, loadProfile(choice)) });
  try {
    const connected = await connect(embeddedTarget(server, choice.env));
    const close = async (): Promise<void> => {
      await connected.close();
      await server.release();
    };
    return { ...connected, close, embedded: server };
  } catch (error) {
    await server.release();
    throw error;
  }
}

/** @param env where the key for what the server is given may be. Default: there is none */
export function embeddedTarget(
  server: Pick<DevServer, 'address' | 'namespace'>,
  env: NodeJS.ProcessEnv = {},
): TemporalTarget {
  const { address, namespace } = server;
  return { address, namespace, options: { address }, timeout: EMBEDDED_CONNECT_TIME, ...dataConversion(env) };
}

function timeoutOf({ timeout = CONNECT_TIME }: TemporalTarget): number {
  return timeout;
}

function loadProfile({ profile, env }: TemporalChoice): ClientConnectConfig {
  try {
    const found = loadClientConfigProfile({
      ...(profile === undefined ? {} : { profile }),
      overrideEnvVars: Object.fromEntries(
        Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
    });
    // By itself the SDK leaves half a pair out, without a word.
    if ((found.tls?.clientCert === undefined) !== (found.tls?.clientKey === undefined))
      throw new Error(
        'of a client certificate and its key only one is named (tls.client_cert_path, tls.client_key_path)',
      );
    return toClientOptions(found);
  } catch (error) {
    throw new TemporalSetupError(
      `Temporal's ${profile === undefined ? 'configuration' : `profile "${profile}"`} cannot be used: ` +
        `${reasonOf(error)}. Correct it (temporal config list shows what there is), or give --address.`,
      { cause: error },
    );
  }
}

function namespaceOf(choice: TemporalChoice, loaded: ClientConnectConfig): string {
  return choice.namespace ?? loaded.namespace ?? choice.config?.namespace ?? DEFAULT_NAMESPACE;
}

/** The id of the cluster. Some servers keep it to themselves; then their address has to name them. */
async function introduce(connection: Connection, { address, namespace }: TemporalTarget): Promise<string> {
  await connection.ensureConnected();
  const service = connection.workflowService;
  const clusterId = service.getClusterInfo({}).then(
    (info) => info.clusterId,
    () => '',
  );
  try {
    await service.describeNamespace({ namespace });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new TemporalSetupError(
      `The Temporal server at ${address} has no namespace "${namespace}". Give --namespace, or create it: ` +
        `temporal operator namespace create --namespace ${namespace} --address ${address}`,
      { cause: error },
    );
  }
  return (await clusterId) || address;
}

async function connectWorker(target: TemporalTarget, { address }: Dialed): Promise<NativeConnection> {
  // Loaded only by processes that work: it takes over half a second.
  const { NativeConnection } = await import('@temporalio/worker');
  await installRuntime();
  const deadline = Date.now() + timeoutOf(target);
  for (;;) {
    try {
      return await within(deadline - Date.now(), NativeConnection.connect({ ...target.options, address }));
    } catch (error) {
      // It gives up at the first connection that is refused or cut: a server may be starting again.
      if (isRefusal(error) || Date.now() + RETRY_PAUSE >= deadline) throw await unreachable(target, error);
      await delay(RETRY_PAUSE);
    }
  }
}

/** @throws Error where there is no connection after this many milliseconds */
async function within(milliseconds: number, connecting: Promise<NativeConnection>): Promise<NativeConnection> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), milliseconds);
  });
  try {
    return await Promise.race([connecting, timeout]);
  } catch (error) {
    // A late connection has no owner: close it.
    void connecting.then((late) => late.close()).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Nothing is sent yet; certificates that cannot be read are found out here. */
async function prepareConnection(target: TemporalTarget, dialed: Dialed): Promise<Connection> {
  const { address } = dialed;
  try {
    return Connection.lazy({
      ...clientOptions({ ...target.options, address }),
      ...dialed.clientOptions,
      connectTimeout: timeoutOf(target),
    });
  } catch (error) {
    await dialed.close();
    throw await unreachable(target, error);
  }
}

/** The options of a worker's connection are those of a client's, but for their types. */
function clientOptions({ address, tls, apiKey, metadata }: TemporalTarget['options']): ConnectionOptions {
  return {
    ...(address === undefined ? {} : { address }),
    ...(tls === undefined ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

async function unreachable(target: TemporalTarget, error: unknown): Promise<TemporalSetupError> {
  const { address, namespace } = target;
  if (isRefusal(error)) return refused(target, error);
  const reason = (await networkFault({ address, tls: target.options.tls })) ?? reasonOf(error);
  return new TemporalSetupError(
    `The Temporal server at ${address} (namespace "${namespace}") does not answer: ${reason}. ` +
      'Check the address, TLS and API key (--address, --profile, TEMPORAL_* variables); ' +
      'without any of them an embedded server is used.',
    { cause: error },
  );
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 5;
}

/** gRPC's PERMISSION_DENIED and UNAUTHENTICATED, which the SDK wraps when they answer its first question. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && (error.code === 7 || error.code === 16)) || isRefusal(error.cause);
}

/** The server's own words are left out: what they say is up to it. */
function refused({ address, namespace, options }: TemporalTarget, error: unknown): TemporalSetupError {
  const shown = options.apiKey === undefined ? 'No API key was given' : 'An API key was given';
  return new TemporalSetupError(
    `The Temporal server at ${address} refuses access to the namespace "${namespace}". ${shown}: ` +
      'check TEMPORAL_API_KEY (api_key in the profile), its expiry, and that it is of this namespace, whose name in ' +
      'Temporal Cloud is namespace.account.',
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  return errorMessage(error).trim().replace(/\.$/, '');
}
