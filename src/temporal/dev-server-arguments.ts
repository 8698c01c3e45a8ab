/** What decides how an embedded server is started. */
export interface DevServerSettings {
  readonly databaseFile: string;
  readonly port: number;
  /** Port of the web interface; none when undefined. */
  readonly uiPort: number | undefined;
  readonly namespace: string;
  /**
   * `normal`: a killed process loses nothing, a power cut may lose the last moments, which a run repeats.
   * `full`: neither loses anything; every write waits for the disk.
   */
  readonly sync: 'normal' | 'full';
}

/** Clients that may be on the same machine only. */
export const LOOPBACK = '127.0.0.1';

/** Days for which the server keeps the history of a run that has ended. As it comes it keeps one. */
export const RETENTION_DAYS = 90;

/** Dynamic configuration of the embedded server; bench/temporal-floor.ts measures what each line brings. */
export const DYNAMIC_CONFIG: Readonly<Record<string, string>> = {
  // A server with one shard looks into its transfer queue 20 times a second at most, which costs an activity 50 ms.
  'history.transferProcessorMaxPollRPS': '200',
  // A worker that ends a workflow task takes the activity it just scheduled along, without a poll.
  'system.enableActivityEagerExecution': 'true',
};

/** The command line of `temporal` for these settings. */
export function devServerArguments(
  settings: DevServerSettings,
  dynamicConfig: Readonly<Record<string, string>> = DYNAMIC_CONFIG,
): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    LOOPBACK,
    '--port',
    String(settings.port),
    ...(settings.uiPort === undefined ? ['--headless'] : ['--ui-port', String(settings.uiPort)]),
    '--db-filename',
    settings.databaseFile,
    '--sqlite-pragma',
    'journal_mode=wal',
    '--sqlite-pragma',
    `synchronous=${settings.sync === 'full' ? 2 : 1}`,
    '--namespace',
    settings.namespace,
    '--disable-config-file',
    '--disable-config-env',
    '--color',
    'never',
    ...Object.entries(dynamicConfig).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]),
  ];
}
