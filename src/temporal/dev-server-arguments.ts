import { randomUUID } from 'node:crypto';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.ts';

/** What decides how an embedded server is started. */
export interface DevServerSettings {
  readonly databaseFile: string;
  readonly namespace: string;
  /**
   * `normal`: a killed process loses nothing, a power cut may lose the last moments, which a run repeats.
   * `full`: neither loses anything; every write waits for the disk.
   */
  readonly sync: 'normal' | 'full';
}

/** Ports in the server's own network namespace, of which nothing else has any. */
export const FRONTEND_PORT = 7233;
export const UI_PORT = 8233;

/** Days for which the server keeps the history of a run that has ended. As it comes it keeps one. */
export const RETENTION_DAYS = 90;

/** Dynamic configuration of the embedded server; bench/temporal-floor.ts measures what each line brings. */
export const DYNAMIC_CONFIG: Readonly<Record<string, string>> = {
  // A server with one shard looks into its transfer queue 20 times a second at most, which costs an activity 50 ms.
  'history.transferProcessorMaxPollRPS': '200',
  // A worker that ends a workflow task takes the activity it just scheduled along, without a poll.
  'system.enableActivityEagerExecution': 'true',
  // Not used here, and a way for a workflow to have the server call other machines.
  'system.enableNexus': 'false',
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
    '127.0.0.1',
    '--port',
    String(FRONTEND_PORT),
    '--ui-port',
    String(UI_PORT),
    '--db-filename',
    settings.databaseFile,
    '--sqlite-pragma',
    'journal_mode=wal',
    '--sqlite-pragma',
    `synchronous=${settings.sync === 'full' ? 2 : 1}`,
    '--namespace',
    settings.namespace,
    ...SEARCH_ATTRIBUTES.flatMap(({ name, type }) => ['--search-attribute', `${name}=${type}`]),
    '--disable-config-file',
    '--disable-config-env',
    '--color',
    'never',
    ...Object.entries({ ...dynamicConfig, ...closedHttpApi() }).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${value}`,
    ]),
  ];
}

/** The HTTP API cannot be switched off: it answers only requests for this random host name. An empty list would let HTTP/1.0 through. */
function closedHttpApi(): Readonly<Record<string, string>> {
  return { 'frontend.httpAllowedHosts': JSON.stringify([`${randomUUID()}.invalid`]) };
}
