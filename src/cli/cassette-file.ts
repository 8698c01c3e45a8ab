import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ConfigInput } from '../config/schema.ts';
import type { CassetteOptions } from '../llm/cassette.ts';
import { checkWritable } from './output-file.ts';
import { CommandError } from './report-error.ts';

export interface CassetteFlags {
  readonly record?: string;
  readonly replay?: string;
  readonly detach?: boolean;
  readonly worker?: boolean;
}

/** @throws CommandError for files that cannot be used, and for workers elsewhere, which would ask models all the same */
export async function checkCassette(cwd: string, { record, replay, detach, worker }: CassetteFlags): Promise<void> {
  if (record === undefined && replay === undefined) return;
  const option = record === undefined ? '--replay' : '--record';
  if (record !== undefined && replay !== undefined)
    throw new CommandError('Give --record or --replay: a run either asks models or has its answers from a file.');
  if (detach === true || worker === false)
    throw new CommandError(`${option} needs the worker of this command: leave out --detach and --no-worker.`);
  if (record !== undefined) await checkWritable(cwd, record);
  if (replay === undefined) return;
  await access(resolve(cwd, replay)).catch(() => {
    throw new CommandError(`There is no recording ${replay}: rlm run --record ${replay} makes one.`);
  });
}

export function cassetteOf(cwd: string, { record, replay }: CassetteFlags): CassetteOptions | undefined {
  if (replay !== undefined) return { mode: 'replay', file: resolve(cwd, replay) };
  return record === undefined ? undefined : { mode: 'record', file: resolve(cwd, record) };
}

/** A task queue of its own: other runs are not recorded, and no other worker asks a model for this one. */
export function cassetteOverrides(cwd: string, flags: CassetteFlags): ConfigInput {
  const cassette = cassetteOf(cwd, flags);
  if (cassette === undefined) return {};
  const hash = createHash('sha256').update(cassette.file).digest('hex').slice(0, 12);
  return { temporal: { task_queue: `durable-rlm-${cassette.mode}-${hash}` } };
}
