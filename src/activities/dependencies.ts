import type { Admission } from '../admission.ts';
import type { ModelConfig, RunConfig } from '../domain/config.ts';
import type { StoredInput } from '../domain/inputs.ts';
import type { PresenceRecord } from '../domain/presence.ts';
import type { RepositoryReference, RunReference } from '../domain/records.ts';
import type { SettableAttributes } from '../domain/search-attributes.ts';
import type { Signature } from '../domain/signature/field-type.ts';
import type { ToolDescription } from '../domain/tools.ts';
import type { ChatModels } from '../llm/chat-model.ts';
import type { Notify } from '../domain/notice.ts';
import type { SandboxProvider } from '../sandbox/provider.ts';
import type { Slots } from '../sandbox/slots.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Chains } from '../storage/chain.ts';
import type { WorkerDeaths } from '../worker-deaths.ts';
import type { AgentContext } from './agent-context.ts';

/** An activity's input with the agent it is for. */
export type ForAgent<Input> = Input & { readonly scope: AgentContext };

/** Where trajectories and references are kept. */
export type Stores = Pick<ActivityDependencies, 'blobs' | 'chains'>;

/** Everything activities reach out with; wired in `worker.ts`. */
export interface ActivityDependencies {
  readonly blobs: BlobStore;
  readonly chains: Chains;
  readonly models: (config: ModelConfig) => ChatModels;
  readonly sandboxes: (provider: string) => SandboxProvider;
  /** How many large replies of sandboxes this worker has in memory at once. */
  readonly largeReplies: Pick<Slots, 'acquire'>;
  /** Which work has ended workers. */
  readonly workerDeaths: WorkerDeaths;
  /** Which runs this worker does, with which configuration. `chains` asks it for every specification. */
  readonly admission: Pick<Admission, 'admit' | 'admitModels' | 'admitted' | 'admitBudget' | 'mayTakeUpOwnRuns'>;
  /** A run that the store knows: its newest execution, or the one that is named. */
  readonly findRun: (run: string, execution?: string) => Promise<RunReference | undefined>;
  /** The same for many runs whose ids begin so. */
  readonly indexRuns: (beginning: string) => Promise<(run: string) => Promise<RunReference | undefined>>;
  /** The run of the occurrence before of a schedule, or of the same item in it. */
  readonly findOccurrenceBefore: (schedule: string, run: string) => Promise<RunReference | undefined>;
  /** @throws TypedError `Repository.*`, `Input.Invalid` */
  readonly resolveRepository: (input: RepositoryRequest) => Promise<RepositoryReference>;
  /** Values by name as variables in the blob store. @throws TypedError `Input.Invalid` */
  readonly storeInputs: (signature: Signature, values: unknown) => Promise<readonly StoredInput[]>;
  /** Functions of this worker that code may call. */
  readonly tools: Toolbox;
  /** Whether analyses that another user started get them. */
  readonly servesOthers: boolean;
  readonly environment: NodeJS.ProcessEnv;
  /** Name of this host, for messages. */
  readonly host: string;
  /** Identity of the Temporal cluster and namespace, for sandbox labels. */
  readonly cluster: string;
  readonly namespace: string;
  /** When a worker last polled a task queue, in milliseconds since the epoch; undefined when none did for minutes. */
  readonly lastPoll: (taskQueue: string) => Promise<number | undefined>;
  /** Activities of these workflows that have failed and are being retried. */
  readonly pendingFailures: (workflowIds: readonly string[]) => Promise<readonly RetriedActivity[]>;
  /** Those that the workflow of a run may set. */
  readonly searchAttributes: () => Promise<SettableAttributes>;
  /** Milliseconds after its worker's last poll in which a host still counts as there: it may be starting again. */
  readonly hostPatience: number;
  /** Tells a person about a run; does not fail. */
  readonly notify: Notify;
  /** Whether there is somebody to tell. */
  readonly notifies: boolean;
  /** When the workers of a task queue were up. */
  readonly presence: (taskQueue: string) => Promise<readonly PresenceRecord[]>;
  /** Called at named points, where a test may end the process. */
  readonly checkpoint: (point: Checkpoint) => void;
}

export interface RetriedActivity {
  readonly workflowId: string;
  readonly attempt: number;
  readonly message: string;
}

export interface Toolbox {
  readonly descriptions: readonly ToolDescription[];
  /** @throws TypedError `Input.Invalid` for arguments that do not fit; whatever the tool throws */
  call(name: string, given: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<unknown>;
}

export interface RepositoryRequest {
  readonly repo: string;
  readonly branch?: string;
  readonly commit?: string;
  readonly bundle?: string;
  readonly folder?: string;
  readonly config: RunConfig;
  readonly signal: AbortSignal;
}

/** Points between two steps that a crash could tear apart. */
export type Checkpoint =
  | 'model.asking'
  | 'model.replied'
  | 'reply.recorded'
  | 'summary.recorded'
  | 'sandbox.creating'
  | 'sandbox.created'
  | 'sandbox.ready'
  | 'block.sent'
  | 'block.calls'
  | 'answers.delivered'
  | 'answers.recorded'
  | 'block.done'
  | 'block.recorded'
  | 'prompt.replied'
  | 'prompt.recorded'
  | 'tool.returned'
  | 'tool.recorded'
  | 'patch.taking'
  | 'patch.extracted'
  | 'end.recorded'
  | 'rebuild.begun'
  | 'rebuild.block'
  | 'rebuild.recorded'
  | 'sandbox.destroyed';
