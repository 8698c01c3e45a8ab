import { mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { connect } from '../../src/client.ts';
import { openEnvironment } from '../../src/client/environment.ts';
import { cacheDirectory } from '../../src/config/directories.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { exportTree } from '../../src/results/export-agent.ts';
import { createRunReader } from '../../src/results/run-reader.ts';
import { connect as connectTemporal, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { defaultDatabaseFile, devServerStatus, stopDevServer } from '../../src/temporal/dev-server.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import type { LongContextTask } from './task.ts';

/** What one analysis came to and cost. */
export interface Solution {
  readonly answer: unknown;
  /** Why there is no answer. */
  readonly error: string | null;
  /** Asked by the code; the turns of the root are not counted. */
  readonly prompts: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Tokens of the longest request that the root made. */
  readonly rootTokens: number;
  /** Bytes, of all of the run's workflows. */
  readonly history: number;
  /** From the program's call to the answer: the document is stored and loaded on the way. */
  readonly seconds: number;
}

export interface Stage {
  solve(id: string, task: LongContextTask): Promise<Solution>;
  close(): Promise<void>;
}

/** An embedded server of its own and a worker in this process, with state and caches in the folder. */
export async function openStage(folder: string, modelUrl: string): Promise<Stage> {
  const temporal = await findTemporalCli({ cacheDirectory: cacheDirectory(process.env), log: console.error });
  const state = join(folder, 'state');
  const env = {
    PATH: [dirname(temporal), dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: folder,
    DURABLE_RLM_STATE: state,
    DURABLE_RLM_CACHE: join(folder, 'cache'),
    LLM_API_KEY: 'scripted',
  };
  mkdirSync(env.DURABLE_RLM_CACHE, { recursive: true });
  const config = { model: { name: 'openai/scripted', base_url: modelUrl }, rlm: { on_error: 'fail' as const } };
  const databaseFile = defaultDatabaseFile(state);
  const client = await connect({ env, cwd: folder, config });
  let connection: TemporalConnection | undefined;
  const close = async (): Promise<void> => {
    await client.close();
    await connection?.close();
    await stopDevServer({ databaseFile, force: true });
  };
  try {
    await client.work();
    const address = devServerStatus(databaseFile).server?.address ?? '';
    connection = await connectTemporal(embeddedTarget({ address, namespace: 'default' }));
    const workflows = connection.client.workflow;
    const { blobs } = await openEnvironment({ env, cwd: folder, config: parseConfig(config) });

    const rootTokens = async (run: string, execution: string): Promise<number> => {
      const reader = createRunReader(blobs, { run, execution });
      const snapshot = await reader.snapshot();
      const root = snapshot === undefined ? undefined : exportTree(await reader.trajectories(snapshot), '0', 10_000);
      return Math.max(0, ...(root?.iterations.map(({ usage }) => usage.input_tokens) ?? []));
    };
    const historyOf = async (id: string): Promise<number> => {
      try {
        return (await workflows.getHandle(id).describe()).historySize ?? 0;
      } catch (error) {
        // Not every run has every workflow.
        if (error instanceof WorkflowNotFoundError) return 0;
        throw error;
      }
    };
    return {
      async solve(id, { signature, instructions, inputs }) {
        const began = performance.now();
        const run = await client.analyze<string>({ id, signature, instructions, inputs });
        const { answer, error, usage, iterations } = await run.result();
        const seconds = (performance.now() - began) / 1000;
        const histories = await Promise.all([id, `${id}/0`, `${id}/budget`].map(historyOf));
        return {
          answer,
          error,
          prompts: usage.llm_calls - iterations,
          inputTokens: usage.input_tokens,
          outputTokens: usage.output_tokens,
          rootTokens: await rootTokens(run.id, run.execution),
          history: histories.reduce((sum, bytes) => sum + bytes, 0),
          seconds,
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
