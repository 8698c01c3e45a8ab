/** What `rlm up` is started with, by systemd for a user. */
export interface UnitOptions {
  /** Program and arguments, with absolute paths. */
  readonly command: readonly string[];
  /** Where it runs: no configuration is found there by accident. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** File with keys, one `NAME=value` a line. */
  readonly environmentFile: string;
}

/** The text of the unit. */
export function systemdUnit({ command, folder, environment, environmentFile }: UnitOptions): string {
  const variables = Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  return [
    '[Unit]',
    'Description=durable-rlm: Temporal server and worker',
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${command.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}`,
    `WorkingDirectory=${folder.replaceAll('%', '%%')}`,
    ...variables,
    `EnvironmentFile=-${environmentFile.replaceAll('%', '%%')}`,
    'Restart=always',
    'RestartSec=5',
    '# Sandboxes outlive the worker: code that runs in them is found again.',
    'KillMode=process',
    'TimeoutStopSec=60',
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n');
}

/** As systemd reads a word: `man systemd.syntax`. */
function quoted(word: string): string {
  const escaped = word
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('%', '%%');
  return `"${escaped.replaceAll('\n', String.raw`\n`)}"`;
}
