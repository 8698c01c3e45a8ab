import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Nobody's account. */
export const ORDINARY_UID = 61_001;

/** Why a script cannot be run as another user here; undefined when it can. */
export function cannotSwitch(script: string): string | undefined {
  if (process.getuid?.() !== 0) return 'the tests themselves run as an ordinary user';
  for (const file of [process.execPath, script]) {
    accessSync(file, constants.R_OK);
    for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
      if ((statSync(folder).mode & 0o001) === 0) return `${folder} is closed to other users`;
    }
  }
  return undefined;
}
