import { z } from 'zod';
import { DEFAULT_CONFIG } from '../domain/config.ts';
import { endpoint, environmentVariable, text } from './schema-fields.ts';
import { modelSchema, rlmSchema } from './schema-run.ts';
import { sandboxSchema } from './schema-sandbox.ts';
import { notifySchema, toolsSchema, workerSchema } from './schema-worker.ts';

const { storage, temporal } = DEFAULT_CONFIG;

const repositorySchema = z.strictObject({
  token_env: environmentVariable
    .optional()
    .describe("Name of the worker's environment variable that holds a token for a private repository (HTTPS)."),
});

const storageSchema = z
  .strictObject({
    driver: z
      .enum(['file', 's3'])
      .default(storage.driver)
      .describe('Where trajectories are kept: in a folder, or in an S3 bucket that workers of many hosts share.'),
    path: text
      .optional()
      .describe(
        'Folder, for `file`, relative to the folder of the configuration file. Default: `blobs` in the state directory.',
      ),
    bucket: text.optional().describe('Bucket, for `s3`; it must exist.'),
    prefix: text.optional().describe('What the names of all objects begin with, for `s3`. Default: nothing.'),
    endpoint: endpoint('https://host:9000', 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
      .optional()
      .describe("Address of an S3-compatible store. Default: `AWS_ENDPOINT_URL_S3`, else AWS's own."),
    region: text
      .optional()
      .describe("Region of the bucket. Default: the environment's or profile's, `us-east-1` with an endpoint."),
    path_style: z
      .boolean()
      .optional()
      .describe("Whether the bucket's name stands in the path rather than the host. Default: with an endpoint."),
  })
  .superRefine(({ driver, path, bucket, ...rest }, context) => {
    const refuse = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (driver === 's3' && bucket === undefined) refuse('bucket', 'must be the name of a bucket');
    if (driver === 's3' && path !== undefined) refuse('path', 'is for `driver: file`; for a bucket there is prefix');
    if (driver === 'file')
      for (const [name, value] of Object.entries({ bucket, ...rest }))
        if (value !== undefined) refuse(name, 'is for `driver: s3`');
  });

const temporalSchema = z.strictObject({
  address: z
    .string()
    .regex(
      /^(([^\s:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}|unix:\/\/\/\S+)$/,
      'must be host:port such as localhost:7233, or unix:///path',
    )
    .optional()
    .describe('Temporal server, `host:port` or `unix:///path`. Default: the embedded one.'),
  namespace: text.optional().describe('Temporal namespace. Default: `default`.'),
  task_queue: text.default(temporal.task_queue).describe('Temporal task queue.'),
  queues: z
    .enum(['shared', 'separate'])
    .default(temporal.queues)
    .describe(
      'With `separate`, model calls and work on sandboxes have task queues of their own (`<task_queue>/models`, `<task_queue>/sandboxes`), so that workers can take one of them only (`rlm worker --only`).',
    ),
});

/** `config.yaml`. Whatever is left out has its default; what is not listed is an error. */
export const configSchema = z.strictObject({
  model: modelSchema.prefault({}).describe('Which models are asked, and how.'),
  rlm: rlmSchema.prefault({}).describe('What a run may spend and how its agents work.'),
  sandbox: sandboxSchema.prefault({}).describe('Where the code of the agents runs.'),
  repository: repositorySchema.prefault({}).describe('Access to the repository.'),
  storage: storageSchema.prefault({}).describe('Where trajectories are kept.'),
  temporal: temporalSchema.prefault({}).describe('The Temporal server that makes runs durable.'),
  tools: toolsSchema.prefault({}).describe("What the code of analyses can call. A worker's own only: runs bring none."),
  notify: notifySchema
    .prefault({})
    .describe("How you are told of runs while you are not looking. A worker's own only: runs bring none."),
  worker: workerSchema
    .prefault({})
    .describe(
      'What a worker allows to runs that another user started: with the `temporal` command, a schedule, or from another machine. [More](#who-may-set-what).',
    ),
});

/** What the file may hold: every section and setting optional. */
export type ConfigInput = z.input<typeof configSchema>;
