import { realpath } from 'node:fs/promises';
import { ConfigError } from './config/config-error.ts';
import { parseConfig } from './config/load-config.ts';
import { runLimits, type RunLimits } from './domain/budget.ts';
import type { ConfigInput } from './config/schema.ts';
import {
  authorize,
  authorizeReach,
  refusalMessage,
  type Authority,
  type GivenConfig,
  type Refusal,
  type RequestedRepository,
} from './domain/authorize.ts';
import { ANALYSIS_DEFAULTS, type RunConfig } from './domain/config.ts';
import type { InvestigateInput } from './domain/contract.ts';
import { TypedError } from './domain/failures.ts';
import { runIdProblem } from './domain/ids.ts';
import { keptSettingsProblem } from './domain/check-configure.ts';
import type { BudgetMessage } from './domain/messages.ts';
import type { RepositoryReference, RunSpecification } from './domain/records.ts';
import { BLOB_FIELDS, checkRunInput, type GivenRun } from './domain/run-input.ts';
import { createGrants, storedInputsName } from './grants.ts';
import { assertCostsKnown } from './llm/model-costs.ts';
import { parseRepositoryName } from './sandbox/repository/repository-name.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Chains } from './storage/chain.ts';

export type AdmissionRequest = GivenRun & {
  readonly run: string;
  /** The run whose work it takes up, and its repository. */
  readonly source?: {
    readonly run: string;
    readonly granted: boolean;
    readonly repository: RepositoryReference | undefined;
  };
};

export interface AdmittedRun {
  readonly config: RunConfig;
  /** What only the worker's own user can raise its budget above. */
  readonly ceilings: RunLimits;
  /** Whether the worker's own user started it. */
  readonly granted: boolean;
}

/** Which runs a worker does. Authority lies with it, not with who can reach Temporal. */
export interface Admission {
  /**
   * What a run may use, before anything is spent on it.
   *
   * @throws TypedError `Input.Invalid`; `Input.NotAllowed` that names the settings which would allow it;
   *   `Worker.NotAllowed` where another worker may hold the grant that the input names
   */
  admit(request: AdmissionRequest): Promise<AdmittedRun>;
  /**
   * The configuration of a run that is open, with the models of another: who sent that is not known.
   *
   * @throws TypedError `Input.Invalid`, also for other settings than those of models; `Input.NotAllowed` as `admit`
   */
  admitModels(request: {
    readonly type: AdmissionRequest['type'];
    readonly given: unknown;
    readonly current: RunConfig;
  }): Promise<RunConfig>;
  /** Whether runs of others may see what runs of the worker's own user have seen (`worker.allow.own_runs`). */
  readonly mayTakeUpOwnRuns: boolean;
  /**
   * Whether the worker's own user gives a run these limits.
   *
   * @throws TypedError `Worker.NotAllowed` where that is not known here
   */
  admitBudget(run: string, message: BudgetMessage): Promise<void>;
  /** Called with the specification of a run that was admitted: every worker of this state folder continues it. */
  admitted(spec: string, run: string): Promise<void>;
  /**
   * Chains that hand out no specification which this worker would not have admitted: any worker of a task queue gets
   * activities of runs that others have prepared.
   *
   * @throws TypedError `Worker.NotAllowed`: another worker's chance
   */
  guard(chains: Chains): Chains;
}

export interface AdmissionOptions {
  /** The worker's own configuration, as it was given. */
  readonly config: ConfigInput;
  readonly stateDirectory: string;
  readonly blobs: Pick<BlobStore, 'getReference'>;
  /** Named in messages. */
  readonly host: string;
  /** False: its tools, and that it may run code without isolation, are for the runs of its own user. */
  readonly servesOthers: boolean;
  readonly hasTool: (name: string) => boolean;
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { stateDirectory, blobs, host, servesOthers, hasTool } = options;
  const config = servesOthers ? options.config : isolated(options.config);
  const grants = createGrants(stateDirectory);
  const own = parseConfig(config);
  const defaults = { investigate: own, analyze: parseConfig(config, ANALYSIS_DEFAULTS) };
  const queues = { temporal: { queues: own.temporal.queues } };
  const known = new Set<string>();

  const authority = async (): Promise<Authority> => ({
    own,
    folders: await Promise.all(own.worker.allow.folders.map((folder) => realpath(folder).catch(() => folder))),
  });

  async function authorized(request: AdmissionRequest, granted: 'unknown' | undefined): Promise<AdmittedRun> {
    const { model, rlm, sandbox } = defaults[request.type];
    const given = request.input.config ?? {};
    const asked = validConfig(given, { model, rlm, sandbox, ...queues });
    const { source } = request;
    const repository = await requestedRepository(request);
    const verdict = authorize(
      {
        given: given as GivenConfig,
        config: asked,
        ...(repository === undefined ? {} : { repository }),
        ...(source === undefined ? {} : { source }),
      },
      await authority(),
    );
    const foreign = await foreignBlobs(request);
    if (verdict.kind === 'allowed') assertCostsKnown(verdict.config);
    if (verdict.kind === 'allowed' && foreign.length === 0)
      return { config: verdict.config, ceilings: runLimits(rlm), granted: false };
    const refusals = verdict.kind === 'refused' ? verdict.refusals : [];
    const message = refusalMessage([...foreign, ...refusals], host);
    if (granted === undefined)
      throw new TypedError(
        'Input.NotAllowed',
        `${message} Or start the run on that machine, with rlm run or rlm analyze.`,
      );
    throw new TypedError(
      'Worker.NotAllowed',
      `${message} The run was started by somebody else, or with another state folder (DURABLE_RLM_STATE): there it may do this.`,
    );
  }

  /** Blobs are named by hashes, which a reader of histories knows: an input names what was stored for it, no more. */
  async function foreignBlobs({ run, input }: AdmissionRequest): Promise<Refusal[]> {
    const fields: readonly string[] = Object.keys(input);
    const named = BLOB_FIELDS.filter((field) => fields.includes(field));
    const { grant, grant_for: owner = run } = input;
    const isStored =
      named.length === 0 ||
      (grant !== undefined &&
        (await blobs.getReference(storedInputsName(isRunOf(run, owner) ? owner : run, grant))) !== undefined);
    return isStored
      ? []
      : named.map((setting) => ({ setting, reason: 'names a blob that was not stored for this run' }));
  }

  return {
    async admit(request) {
      const problem = runIdProblem(request.run);
      if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
      checkRunInput(request);
      const { grant, grant_for: owner = request.run } = request.input;
      if (grant === undefined) return authorized(request, undefined);
      const found = isRunOf(request.run, owner)
        ? await grants.check({ ...request, run: owner }, grant)
        : 'of another run';
      if (found === 'unknown') return authorized(request, found);
      if (found === 'of another run') {
        throw new TypedError(
          'Input.NotAllowed',
          'The `grant` of this input was made for another run id or another input. Leave it out: rlm run, rlm analyze ' +
            'and programs make it for the runs that they start.',
        );
      }
      const ofType = request.type === 'analyze' ? ANALYSIS_DEFAULTS : {};
      const granted = validConfig(request.input.config ?? {}, { ...ofType, ...queues });
      assertCostsKnown(granted);
      return { config: granted, ceilings: runLimits(granted.rlm), granted: true };
    },
    async admitModels({ type, given, current }) {
      const { model, rlm, sandbox } = defaults[type];
      const asked = validConfig(given, { model, rlm, sandbox, ...queues });
      const verdict = authorize({ given: given as GivenConfig, config: asked }, await authority());
      if (verdict.kind === 'refused') throw new TypedError('Input.NotAllowed', refusalMessage(verdict.refusals, host));
      // It names no repository, so that the settings of that are as they were asked for.
      const admitted = { ...verdict.config, repository: asked.repository };
      const problem = keptSettingsProblem(given as GivenConfig, admitted, current);
      if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
      const changed = { ...current, model: admitted.model };
      assertCostsKnown(changed);
      return changed;
    },
    mayTakeUpOwnRuns: own.worker.allow.own_runs,
    async admitBudget(run, { grant = '', ...message }) {
      const isGrant = /^[0-9a-f]{64}$/.test(grant);
      if (isGrant && (await grants.check({ run, type: 'setBudget', input: message }, grant)) === 'granted') return;
      throw new TypedError(
        'Worker.NotAllowed',
        `The worker on ${host} does not know that its user gives run ${run} more than it began with.`,
      );
    },
    async admitted(spec, run) {
      await grants.specifications.add(spec, run);
      known.add(spec);
    },
    guard: (chains) => ({
      ...chains,
      async specification(hash) {
        const specification = await chains.specification(hash);
        if (known.has(hash)) return specification;
        if (!(await grants.specifications.has(hash))) return ofStranger(specification, await authority());
        known.add(hash);
        return specification;
      },
    }),
  };

  /** As this worker does it, with its own credentials only where it says so. */
  function ofStranger(specification: RunSpecification, by: Authority): RunSpecification {
    const { model, sandbox, repository: access } = specification.config;
    const url = specification.repository?.url;
    const verdict = authorizeReach(
      {
        given: { model: { ...model }, sandbox: { ...sandbox }, repository: { ...access } },
        config: specification.config,
        ...(url === undefined ? {} : { repository: { kind: 'url', url } }),
      },
      by,
    );
    const refusals = verdict.kind === 'refused' ? verdict.refusals : [];
    const kept = (specification.type === 'analyze' ? (specification.tools ?? []) : []).filter(
      ({ name }) => !servesOthers && hasTool(name),
    );
    const all = [
      ...refusals,
      ...kept.map(({ name }) => ({ setting: 'tools', reason: `names ${name}, which is not for this run` })),
    ];
    if (verdict.kind === 'refused' || all.length > 0)
      throw new TypedError('Worker.NotAllowed', refusalMessage(all, host));
    return { ...specification, config: { ...specification.config, repository: verdict.config.repository } };
  }
}

/** Runs of a schedule are called after it and the time, items of a batch after it and their name. */
function isRunOf(run: string, owner: unknown): owner is string {
  if (typeof owner !== 'string' || !run.startsWith(owner)) return false;
  const rest = run.slice(owner.length);
  return rest === '' || rest.startsWith('.') || /^-\d{4}-\d\d-\d\dT[\d:.]+Z(\.|$)/.test(rest);
}

function isolated(config: ConfigInput): ConfigInput {
  return { ...config, sandbox: { ...config.sandbox, isolation: 'bubblewrap' } };
}

async function requestedRepository({
  type,
  input,
  source,
}: AdmissionRequest): Promise<RequestedRepository | undefined> {
  if (type !== 'investigate') return undefined;
  if (source === undefined) return repositoryOf(input);
  const url = source.repository?.url;
  return url === undefined ? undefined : { kind: 'url', url };
}

async function repositoryOf({ repo = '', commit, bundle }: InvestigateInput): Promise<RequestedRepository | undefined> {
  if (bundle !== undefined && commit !== undefined) return undefined;
  const name = parseRepositoryName(repo);
  return name.kind === 'url' ? name : { kind: 'path', path: await realpath(name.path).catch(() => name.path) };
}

function validConfig(value: unknown, defaults: Readonly<Record<string, object>>): RunConfig {
  try {
    return parseConfig(value, defaults);
  } catch (error) {
    if (error instanceof ConfigError) throw new TypedError('Input.Invalid', error.message, { cause: error });
    throw error;
  }
}
