import { dotEnvNote, loadDotEnv } from '../client/dot-env.ts';
import { openEnvironment, type Environment } from '../client/environment.ts';
import { createTemporalRuns, type TemporalRuns } from '../client/temporal-runs.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { RunConfig } from '../domain/config.ts';
import {
  chooseTemporal,
  connect,
  embeddedTarget,
  resolveTemporal,
  type ResolvedTemporal,
  type TemporalChoice,
} from '../temporal/connection.ts';
import { attachDevServer, defaultDatabaseFile } from '../temporal/dev-server.ts';
import { readConfiguration } from './configuration.ts';
import { say, type Io } from './io.ts';
import type { TemporalOptions } from './options.ts';

/** What commands have in common: configuration, places, and Temporal when it is asked for. */
export interface Session extends Environment {
  readonly config: RunConfig;
  /** The configuration as it was given, without defaults: that of a worker in this process. */
  readonly given: ConfigInput;
  readonly taskQueue: string;
  readonly databaseFile: string;
  /** The server that was asked for, else the embedded one, started when it does not run. */
  openTemporal(options?: { log?: (line: string) => void }): Promise<OpenTemporal>;
  /** The same, but no server is started: undefined where the embedded one does not run. */
  findTemporal(): Promise<OpenTemporal | undefined>;
  /** Gives back what was opened. */
  close(): Promise<void>;
}

export interface OpenTemporal {
  readonly temporal: ResolvedTemporal;
  readonly runs: TemporalRuns;
}

/** @throws ConfigError for what is wrong in the configuration */
export async function openSession(
  io: Io,
  options: TemporalOptions,
  overrides: ConfigInput = {},
  defaults: ConfigInput = {},
): Promise<Session> {
  const dotEnv = await loadDotEnv(io.cwd, io.env);
  const note = dotEnvNote(dotEnv);
  if (note !== undefined) say(io, note);
  const { env } = dotEnv;
  const { config, given } = await readConfiguration(io, options.config, { overrides, defaults });
  const environment = await openEnvironment({ env, cwd: io.cwd, config });
  const taskQueue = config.temporal.task_queue;
  const databaseFile = defaultDatabaseFile(environment.stateDirectory);
  const { address, namespace, profile } = options;
  const choice: TemporalChoice = { address, namespace, profile, env, config: config.temporal, databaseFile };
  const embeddedNamespace = namespace ?? env['TEMPORAL_NAMESPACE'] ?? config.temporal.namespace ?? 'default';
  const closing: (() => Promise<void>)[] = [];
  let isTold = false;
  const onWaiting = (line: string): void => {
    if (!isTold) say(io, line);
    isTold = true;
  };

  function opened(temporal: ResolvedTemporal): OpenTemporal {
    closing.push(() => temporal.close());
    return { temporal, runs: createTemporalRuns({ client: temporal.client, taskQueue }) };
  }

  return {
    ...environment,
    config,
    given,
    taskQueue,
    databaseFile,
    async openTemporal({ log } = {}) {
      const embedded = { ...environment, databaseFile, onWaiting, ...(log === undefined ? {} : { log }) };
      return opened(await resolveTemporal(choice, embedded));
    },
    async findTemporal() {
      const target = chooseTemporal(choice);
      if (target !== undefined) return opened({ ...(await connect(target)), embedded: undefined });
      const server = await attachDevServer({ ...environment, databaseFile, onWaiting, namespace: embeddedNamespace });
      if (server === undefined) return undefined;
      closing.push(() => server.release());
      return opened({ ...(await connect(embeddedTarget(server, choice.env))), embedded: server });
    },
    async close() {
      for (const close of closing.toReversed()) await close();
      closing.length = 0;
    },
  };
}

/** Opens a session for the time of some work. */
export async function withSession<T>(
  io: Io,
  options: TemporalOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(io, options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
