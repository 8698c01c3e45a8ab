import { basename, dirname, resolve } from 'node:path';
import { loadConfig } from '../config/load-config.ts';
import { readConfigFile, readConfigFiles } from '../config/read-config-file.ts';
import { markTrusted, namedLines, restrictedLines } from './configuration.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { CommandError } from './report-error.ts';

/** `rlm trust`. */
export async function trustFile(io: Io, named: string): Promise<number> {
  const path = resolve(io.cwd, named);
  if (basename(path) !== 'config.yaml')
    throw new CommandError(`Only a config.yaml is found by itself; give ${named} with -c, which needs no trust.`);
  const file = await readConfigFile(path, { folder: dirname(path), origin: 'named' });
  if (file === undefined) throw new CommandError(`There is no file ${path}.`);
  const users = (await readConfigFiles(path, io)).filter(({ origin }) => origin === 'user');
  loadConfig({ files: [...users, file] });
  const lines = restrictedLines(file, [...users, file]);
  await markTrusted(io.env, file);
  say(
    io,
    [
      `${path} is trusted as it is now. What that allows:`,
      ...(lines.length === 0 ? ['nothing that needs it'] : lines),
      ...(await namedLines(file)),
    ].join('\n  '),
  );
  return EXIT_DONE;
}
