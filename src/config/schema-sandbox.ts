import { z } from 'zod';
import { DEFAULT_CONFIG } from '../domain/config.ts';
import { count, networkHost, seconds, text, variableName, YEAR } from './schema-fields.ts';

const { sandbox } = DEFAULT_CONFIG;

const daytonaSchema = z
  .strictObject({
    snapshot: text.optional().describe("Snapshot that sandboxes are made from. Default: Daytona's own."),
    image: text
      .optional()
      .describe(
        'Container image that sandboxes are made from, instead of a snapshot. Python 3.9 and git must be in it.',
      ),
    cpu: count.optional().describe('Cores of a sandbox. With an image only: a snapshot has its own.'),
    disk_gb: count.optional().describe('GiB of disk of a sandbox. With an image only.'),
    target: text
      .optional()
      .describe("Region. Default: `DAYTONA_TARGET` of the worker's environment, then the organization's."),
    network_block_all: z.boolean().optional().describe('Whether sandboxes are kept from every network.'),
    network_allow_list: z
      .array(z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, 'must be a network such as 10.0.0.0/8'))
      .min(1)
      .optional()
      .describe('The only networks that sandboxes can reach, such as `10.0.0.0/8`.'),
    domain_allow_list: z
      .array(text)
      .min(1)
      .optional()
      .describe('The only domains that sandboxes can reach, such as `example.com`.'),
    ttl: z
      .number()
      .min(60)
      .max(YEAR)
      .optional()
      .describe(
        'Seconds after which Daytona removes a sandbox whatever happens. Workers renew it while its agent runs. Default: 86400.',
      ),
  })
  .check(({ value, issues }) => {
    const refuse = (path: string, message: string): void => {
      issues.push({ code: 'custom', input: value, path: [path], message });
    };
    const { image, snapshot, cpu, disk_gb } = value;
    if (image !== undefined && snapshot !== undefined) refuse('image', 'must be the only one of image and snapshot');
    const sized = { cpu, disk_gb };
    for (const [name, size] of Object.entries(sized)) {
      if (size !== undefined && image === undefined) refuse(name, 'can be given with sandbox.daytona.image only');
    }
  });

export const sandboxSchema = z.strictObject({
  provider: z.enum(['local', 'daytona']).default(sandbox.provider).describe('Where code runs.'),
  isolation: z
    .enum(['bubblewrap', 'none'])
    .default(sandbox.isolation)
    .describe('How the local provider shuts code in. With `none` what the model writes runs unprotected.'),
  python: text
    .optional()
    .describe(
      'Interpreter for the sandbox, or folder of a virtual environment: an absolute path or a name on the PATH of the worker; or, relative to the repository and made by `sandbox.setup`, such as `.venv` (`./venv` where there is no dot or slash in it). Default: the first suitable `python3` found, with `sandbox.setup` a virtual environment of it.',
    ),
  setup: z
    .array(text)
    .optional()
    .describe(
      "Commands that make the repository's tests run, such as `pip install -e .`. They run once for a commit, in a clone of it, with network, before a model is asked; every sandbox begins with what they did, which is no part of any patch. [More](sandbox.md#dependencies). Default: none.",
    ),
  setup_timeout: seconds
    .default(sandbox.setup_timeout)
    .describe('Seconds for all commands of `sandbox.setup` together.'),
  setup_env: z
    .array(variableName)
    .optional()
    .describe(
      'Names of variables of the worker that the commands of `sandbox.setup` get, such as `PIP_INDEX_URL` or `HTTPS_PROXY`; build scripts of the repository and of what it installs can read them. Agents do not get them. Default: none.',
    ),
  pool: z
    .number()
    .int()
    .min(0)
    .max(500)
    .default(sandbox.pool ?? 0)
    .describe(
      'Sandboxes kept ready for the next sub-agents of a run, so that those started at the same time need not wait for theirs; 8 MB of memory each. They are made when nothing else is being made, and go with the root agent. Local sandboxes only.',
    ),
  block_timeout: seconds
    .default(sandbox.block_timeout)
    .describe('Seconds a block may compute; the clock stops while one of its calls is unanswered.'),
  create_timeout: seconds.default(sandbox.create_timeout).describe('Seconds to wait for a sandbox to be created.'),
  memory_mb: z
    .number()
    .int()
    .min(64)
    .default(sandbox.memory_mb)
    .describe('MiB of memory for all processes of a sandbox.'),
  disk_mb: z
    .number()
    .int()
    .min(64)
    .default(sandbox.disk_mb)
    .describe(
      'MiB of disk that a checkout of the repository may take, and what `sandbox.setup` adds to it. What agents write is in memory, and has a limit of its own.',
    ),
  network: z
    .array(networkHost)
    .optional()
    .describe(
      'Hosts that code may reach, through a proxy that takes HTTP and CONNECT: `api.example.org`, `*.example.org` for all below it, `host:port`, or `*` for all of the internet; never this machine, or a private network. `sandbox.setup` may reach them too, and package indexes. [More](sandbox.md#network). Default: none.',
    ),
  idle_timeout: seconds
    .default(sandbox.idle_timeout)
    .describe('Seconds after which a sandbox that is not renewed ends itself.'),
  max_rebuilds: z
    .number()
    .int()
    .min(0)
    .default(sandbox.max_rebuilds)
    .describe(
      "How often an agent's lost sandbox is rebuilt, its code run again with the recorded answers. Each counts against `rlm.max_sandboxes`; one that was evicted, or ended itself after `sandbox.idle_timeout`, does not.",
    ),
  max_live: count
    .optional()
    .describe(
      'Sandboxes of a host (local) or an account (daytona) beyond which a sandbox whose agent waits for others is evicted, and rebuilt when their answers are there; that does not count against `rlm.max_sandboxes`. A waiting local one takes about 8 MB. Default: none is dropped.',
    ),
  rebuild_timeout: seconds.default(sandbox.rebuild_timeout).describe('Seconds for making one again.'),
  daytona: daytonaSchema.optional().describe('What sandboxes of Daytona are made of.'),
});
