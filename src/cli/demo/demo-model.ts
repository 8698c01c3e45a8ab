import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { writeAtomically } from '../../files/write-atomically.ts';
import { identityOf, isAlive, signal, type ProcessIdentity } from '../../temporal/process-identity.ts';
import { spawnScriptedModel } from '../../testing/index.ts';
import { CommandError } from '../report-error.ts';
import { scriptOf, type ScenarioName } from './scenario.ts';

/**
 * Seconds without a request after which the model ends by itself: then nobody works on its run. The same command
 * starts it again.
 */
const IDLE_EXIT = 120;

/** The scripted model of one run. */
export interface DemoModel {
  /** For `model.base_url`. */
  readonly url: string;
  /** Ends its process; resolves when it is gone. */
  end(): Promise<void>;
}

interface ModelRecord {
  readonly url: string;
  readonly process: ProcessIdentity | undefined;
}

/**
 * The model that plays a scenario for this run, in a process of its own: it survives whatever is killed
 * around it. The same run finds it again, or starts it at the same address, which is one of the run's arguments.
 *
 * @param latencyMs of a model that has to be started
 * @throws CommandError when the address has been taken meanwhile
 */
export async function startDemoModel(
  stateDirectory: string,
  run: string,
  scenario: ScenarioName,
  latencyMs: number,
): Promise<DemoModel> {
  const folder = join(stateDirectory, 'demo');
  const file = join(folder, `${run}.json`);
  const known = readRecord(file);
  if (known?.process !== undefined && isAlive(known.process)) return modelOf(known.url, known.process);
  const { url, pid } = await spawnModel(run, scenario, latencyMs, known?.url);
  const record: ModelRecord = { url, process: identityOf(pid) };
  makePrivateFolder(folder);
  await writeAtomically(file, JSON.stringify(record));
  return modelOf(url, record.process);
}

async function spawnModel(
  run: string,
  scenario: ScenarioName,
  latencyMs: number,
  knownUrl: string | undefined,
): Promise<{ url: string; pid: number }> {
  const port = knownUrl === undefined ? undefined : Number(new URL(knownUrl).port);
  try {
    return await spawnScriptedModel({
      script: scriptOf(scenario),
      latencyMs,
      idleExit: IDLE_EXIT,
      ...(port === undefined ? {} : { port }),
    });
  } catch (error) {
    if (knownUrl === undefined || !String(error).includes('EADDRINUSE')) throw error;
    throw new CommandError(
      `The scripted model of run ${run} cannot be started again: another program has taken its port ${port}. ` +
        `See how far the run came with rlm result ${run}, or choose another --id for a new run.`,
    );
  }
}

function modelOf(url: string, identity: ProcessIdentity | undefined): DemoModel {
  return {
    url,
    async end() {
      if (identity === undefined) return;
      signal(identity, 'SIGTERM');
      const deadline = Date.now() + 5000;
      // oxlint-disable-next-line no-await-in-loop -- it need not be our child, so its end cannot be awaited otherwise
      while (isAlive(identity) && Date.now() < deadline) await delay(20);
    },
  };
}

function readRecord(file: string): ModelRecord | undefined {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written above
    return JSON.parse(readFileSync(file, 'utf8')) as ModelRecord;
  } catch {
    return undefined;
  }
}
