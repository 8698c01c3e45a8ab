import { z } from 'zod';
import { DEFAULT_CONFIG } from '../domain/config.ts';
import { NOTICES } from '../domain/notice.ts';
import { count, endpoint, environmentVariable, networkHost, seconds, text, variableName } from './schema-fields.ts';

const { tools, worker, notify } = DEFAULT_CONFIG;
const { allow } = worker;

const mcpServerSchema = z
  .strictObject({
    command: text.optional().describe('Program that speaks MCP on its standard input and output.'),
    args: z.array(z.string()).optional().describe('Its arguments.'),
    env_vars: z
      .array(variableName)
      .optional()
      .describe('Names of variables of the worker that it gets. Default: none but PATH and HOME.'),
    cwd: text
      .optional()
      .describe('Folder it runs in, relative to the folder of the configuration file. Default: that folder.'),
    url: endpoint('https://host/mcp', 'use header_env')
      .optional()
      .describe('Address of a server that speaks streamable HTTP, instead of a command.'),
    header_env: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header'), environmentVariable)
      .optional()
      .describe(
        "Headers of every request to `url`, and the names of the worker's variables that hold their values, such as `{Authorization: DOCS_TOKEN}`.",
      ),
    timeout: seconds.default(60).describe('Seconds an attempt of a call may take.'),
    attempts: count.max(1000).default(3).describe('Attempts of a call that fails. 1 where nothing must be done twice.'),
  })
  .superRefine(({ command, url, args, env_vars, cwd, header_env }, context) => {
    const refuse = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (command === undefined && url === undefined)
      context.addIssue({ code: 'custom', message: 'must have a command or a url' });
    if (command !== undefined && url !== undefined) refuse('url', 'must be the only one of command and url');
    if (command === undefined)
      for (const [name, value] of Object.entries({ args, env_vars, cwd }))
        if (value !== undefined) refuse(name, 'is for a command');
    if (url === undefined && header_env !== undefined) refuse('header_env', 'is for a url');
  });

export const toolsSchema = z.strictObject({
  files: z
    .array(text)
    .default([...tools.files])
    .describe('Modules that export tools, relative to the folder of the configuration file. [More](tools.md).'),
  mcp: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a short name of letters, digits, - and _'),
      mcpServerSchema,
    )
    .default({})
    .describe('MCP servers by name, whose tools analyses can call. [More](tools.md#mcp-servers).'),
});

const absolutePath = text.refine((value) => value.startsWith('/'), 'must be an absolute path');

const allowSchema = z.strictObject({
  endpoints: z
    .array(
      z.strictObject({
        base_url: endpoint('https://host/v1', 'put the key into the variable that api_key_env names'),
        api_key_env: environmentVariable.optional(),
      }),
    )
    .default([...allow.endpoints])
    .describe(
      'Values that `model.base_url` of an input may have, `{base_url, api_key_env}`; the key in `api_key_env` is the one that is sent there. Without `api_key_env` it is the key of the provider that the name of the model begins with.',
    ),
  api_key_envs: z
    .array(environmentVariable)
    .default([...allow.api_key_envs])
    .describe('Values that `model.api_key_env` of an input may have which names no `model.base_url`.'),
  isolation_none: z
    .boolean()
    .default(allow.isolation_none)
    .describe('Whether an input may have `sandbox.isolation: none`: its code then runs as the user of the worker.'),
  sandbox_providers: z
    .array(z.enum(['local', 'daytona']))
    .default([...allow.sandbox_providers])
    .describe("Values that `sandbox.provider` of an input may have besides the worker's own."),
  python: z
    .array(text)
    .default([...allow.python])
    .describe('Values that `sandbox.python` of an input may have.'),
  setup: z
    .boolean()
    .default(allow.setup)
    .describe('Whether an input may have `sandbox.setup`: commands that run with network.'),
  setup_env: z
    .array(variableName)
    .default([...allow.setup_env])
    .describe("Names that `sandbox.setup_env` of an input may have besides the worker's own."),
  network: z
    .array(networkHost)
    .default([...allow.network])
    .describe("Entries that `sandbox.network` of an input may have besides the worker's own."),
  daytona: z
    .boolean()
    .default(allow.daytona)
    .describe('Whether an input may have `sandbox.daytona`: image, size and network of sandboxes at Daytona.'),
  own_runs: z
    .boolean()
    .default(allow.own_runs)
    .describe(
      "Whether an input may continue or fork (`fork`) a run that the worker's own user started: it sees all that one has seen. Runs that were started by others it always may.",
    ),
  folders: z
    .array(absolutePath)
    .default([...allow.folders])
    .describe("Folders of the worker's host; an input may name a repository in them by its path."),
  repositories: z
    .array(
      z.strictObject({
        url: text.refine(
          (value) => /^(https?|ssh|git):\/\/[^/@:]+(:\d+)?(\/|$)/.test(value),
          'must be the beginning of a URL such as https://github.com/acme',
        ),
        token_env: environmentVariable.optional(),
      }),
    )
    .default([...allow.repositories])
    .describe(
      "Repositories that are fetched with the worker's credentials, `{url, token_env}`: `url` is the address of one or of what is above it, such as `https://github.com/acme`; `token_env` names the variable with the token. Repositories over ssh, which is always with the worker's keys, have to be here.",
    ),
});

export const workerSchema = z.strictObject({
  allow: allowSchema
    .prefault({})
    .describe("What inputs of runs may ask for beyond the worker's own configuration. [More](#who-may-set-what)."),
});

export const notifySchema = z.strictObject({
  command: z
    .array(text)
    .min(1)
    .optional()
    .describe(
      'Program and arguments, such as `[notify-send, rlm]`. The notice is its standard input, as JSON; `RLM_EVENT`, `RLM_RUN`, `RLM_STATUS`, `RLM_REASON` and `RLM_NEXT` are in its environment.',
    ),
  webhook: endpoint('https://host/hook', 'put what it needs into the address')
    .optional()
    .describe('Address that the notice is posted to, as JSON; its `text` is what chat services show.'),
  on: z
    .array(z.enum(NOTICES))
    .default([...notify.on])
    .describe(
      'What there is to tell: a run has `completed`, has `failed` (or timed out, or was cancelled), is `paused`, or waits for an `approval`.',
    ),
});
