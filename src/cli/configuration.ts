import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { stateDirectory } from '../config/directories.ts';
import { loadConfig, type LoadedConfig } from '../config/load-config.ts';
import { createPrivateMarks, type PrivateMarks } from '../config/private-marks.ts';
import { namedFiles, type NamedFile } from '../config/named-files.ts';
import { readConfigFiles, type ConfigFile } from '../config/read-config-file.ts';
import type { ConfigInput } from '../config/schema.ts';
import { restrictedSettings, trustHash, type RestrictedSetting } from '../config/trust.ts';
import { readYaml } from '../config/yaml-source.ts';
import { commandName, shellWord } from './command-name.ts';
import { say, type Io } from './io.ts';
import { CommandError } from './report-error.ts';

/**
 * The configuration of a command: the user's own file, the one that `-c` names, else that of the current folder. The
 * last is nobody's word: what in it decides what runs on this machine, and what is sent where, counts when the user has
 * said so, once for a file and its content.
 *
 * @throws ConfigError for what is wrong in it; CommandError for a file that the user does not vouch for
 */
export async function readConfiguration(
  io: Io,
  named: string | undefined,
  { overrides, defaults }: { readonly overrides: ConfigInput; readonly defaults: ConfigInput },
): Promise<LoadedConfig> {
  const files = await readConfigFiles(named, io);
  const loaded = loadConfig({ files, overrides, defaults });
  const found = files.find(({ origin }) => origin === 'found');
  if (found !== undefined) await insistOnTrust(io, found, files);
  return loaded;
}

/** What of a file in the current folder needs trust, and where it stands: `config.yaml:3:3: sandbox.setup ...`. */
export function restrictedLines(found: ConfigFile, files: readonly ConfigFile[]): readonly string[] {
  const { config, given } = loadConfig({ files: files.filter((file) => file !== found) });
  const yaml = readYaml(found.text, found.path);
  return restrictedSettings(yaml.value, config, given).map(({ path, effect }: RestrictedSetting) => {
    const { line, column } = yaml.locate(path, 'key');
    return `${found.path}:${line}:${column}: ${path.join('.')} ${effect}`;
  });
}

export function trustedFiles(env: NodeJS.ProcessEnv): PrivateMarks {
  return createPrivateMarks(join(stateDirectory(env), 'trusted'));
}

/** The files that a file names which need no less trust than it, one a line. */
export async function namedLines(file: ConfigFile): Promise<readonly string[]> {
  const files = await filesOf(file);
  // A name with a line break in it would be read as a sentence of ours.
  return files.map(({ path }) => `${/[\n\r]/.test(path) ? JSON.stringify(path) : path} as it is now`);
}

export async function markTrusted(env: NodeJS.ProcessEnv, file: ConfigFile): Promise<void> {
  const path = await pathOf(file);
  await trustedFiles(env).add(trustHash(path, file.text, await filesOf(file)), path);
}

function filesOf({ path, text, folder }: ConfigFile): Promise<readonly NamedFile[]> {
  return namedFiles(readYaml(text, path).value, folder);
}

async function insistOnTrust(io: Io, found: ConfigFile, files: readonly ConfigFile[]): Promise<void> {
  const lines = restrictedLines(found, files);
  if (lines.length === 0) return;
  const path = await pathOf(found);
  if (await trustedFiles(io.env).has(trustHash(path, found.text, await filesOf(found)))) return;
  const named = await namedLines(found);
  const what = [
    `${path} was found in the current folder, and sets what decides what runs on this machine or is sent where:`,
    ...lines.map((line) => `  ${line}`),
    ...(named.length === 0 ? [] : ['It names files, which are trusted with it until they change:']),
    ...named.map((line) => `  ${line}`),
  ].join('\n');
  const command = `${commandName(io.env)} trust ${shellWord(path)}`;
  if (io.stdin.isTTY && io.stderr.isTTY) {
    say(io, what);
    if (await confirmed(io, 'Do you trust this file, and what it names? [y/N] ')) return markTrusted(io.env, found);
    throw new CommandError(`The file is not trusted, and nothing was done. To trust it later: ${command}`);
  }
  throw new CommandError(
    `${what}\nIf you trust the file, and what it names, type ${command}, or give it with -c ${found.path}. Else remove it, ` +
      'or work in another folder.',
  );
}

async function confirmed(io: Io, question: string): Promise<boolean> {
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}

async function pathOf({ path, folder }: ConfigFile): Promise<string> {
  return realpath(resolve(folder, path));
}
