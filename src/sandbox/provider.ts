import type { Readable } from 'node:stream';
import type {
  AnswersRequest,
  EventsReply,
  InputReply,
  ExecRequest,
  KernelInfo,
  ProcessReply,
  ProcessRequest,
  UnchangedRequest,
  SetupRequest,
} from '../domain/kernel-protocol.ts';
import type { DaytonaConfig } from '../domain/config.ts';
import type { SandboxHandle } from '../domain/sandbox.ts';

/** Where a run's repository comes from. A local folder always travels as a `git bundle`. */
export type RepositorySource =
  | {
      readonly kind: 'url';
      readonly url: string;
      /** A token for HTTPS; handed to git by an environment variable, never by argument or configuration. */
      readonly token?: string;
      /** Nothing else that the user of this process is known by to servers is used either. */
      readonly anonymous?: true;
    }
  | {
      readonly kind: 'bundle';
      /** Names the bundle's content, so that it is fetched once. */
      readonly id: string;
      open(): Promise<Readable>;
    };

export interface SandboxRequest {
  /** Unique, derived from run, agent and generation; letters, digits, `.`, `_` and `-`, at most 63. */
  readonly name: string;
  readonly generation: number;
  /** Who it belongs to; the sweep asks by these. */
  readonly labels: SandboxLabels;
  /** Absent: an empty working folder. */
  readonly repository?: { readonly source: RepositorySource; readonly commit: string };
  readonly isolation: 'bubblewrap' | 'none';
  /**
   * Interpreter, or folder of a virtual environment: a path or a name on PATH; with `setup` also a path relative to the
   * repository, of one that its commands make. `src/sandbox/setup.ts` tells them apart.
   */
  readonly python?: string;
  /** Absent: nothing is installed. */
  readonly setup?: SandboxSetup;
  /** Sandboxes to be kept ready for other agents of the run, where they can be. Default 0. */
  readonly pool?: number;
  readonly memory_mb: number;
  /** MiB of disk for a checkout and what a setup adds to it. Default 10240. */
  readonly disk_mb?: number;
  /** Hosts of the internet that the code, and the commands of a setup, may reach. Default: none. */
  readonly network?: readonly string[];
  /** Seconds without any request after which it ends itself. */
  readonly idle_timeout: number;
  /** Seconds that making it may take, for providers that may have to wait for room. Default 300. */
  readonly create_timeout?: number;
  /** For the provider of that name. */
  readonly daytona?: DaytonaConfig;
}

/** What makes the repository's dependencies available; its result is not part of any patch. */
export interface SandboxSetup {
  /** For `sh -c`, one after another, in the clone, with network. At least one. */
  readonly commands: readonly string[];
  /** Seconds for all of them together. */
  readonly timeout: number;
  /** Variables of the worker that they get, by name. May hold secrets: never stored. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What all sandboxes of a run have in common. */
export type SandboxSpec = Omit<SandboxRequest, 'name' | 'generation' | 'labels'>;

export interface SandboxLabels {
  /** Identity of the Temporal cluster and namespace, so that nobody else's sandboxes are touched. */
  readonly cluster: string;
  readonly namespace: string;
  readonly run: string;
  /** First execution id of the run. */
  readonly execution: string;
  readonly agent: string;
}

export interface Patch {
  /** `git diff --binary --full-index` against the commit; empty when nothing changed. Bytes, not text. */
  readonly bytes: Uint8Array;
  /** What could not be taken into it, one sentence each. */
  readonly notes: readonly string[];
}

export interface SandboxListing {
  readonly handle: SandboxHandle;
  readonly labels: SandboxLabels;
}

/** One place where sandboxes can be made. `test/sandbox/conformance.ts` says what each must do. */
export interface SandboxProvider {
  readonly name: string;
  /** Set where sandboxes live on this host only; a handle with another host is not ours to reach. */
  readonly host: string | undefined;

  /**
   * Runs the setup of a run, so that it fails before anything is spent: called with what its first sandbox will be made
   * with. Where the result can be kept, creations find it; they do without this as well (on another host, say), and then
   * take the time.
   *
   * @throws TypedError `Sandbox.SetupFailed`, `Sandbox.Unavailable`, `Repository.*`.
   */
  prepare(request: SandboxRequest, signal?: AbortSignal): Promise<void>;
  /**
   * Makes the sandbox, its clone and its kernel; a second call of the same name and generation finds the first one.
   *
   * @throws TypedError `Sandbox.Unavailable`, `Sandbox.SetupFailed`, `Repository.*`.
   */
  create(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxHandle>;
  /** The handle that a sandbox made with these has, whether it exists or not. */
  handleOf(request: Pick<SandboxRequest, 'name' | 'generation'>): SandboxHandle;
  /** @throws TypedError `Sandbox.Lost` when it is gone. */
  connect(handle: SandboxHandle): Promise<Sandbox>;
  /** Ends every process of it and removes its files; nothing to do where it is gone already. */
  destroy(handle: Pick<SandboxHandle, 'id'>): Promise<void>;
  /** Every sandbox of this provider that exists, also half-made ones. */
  list(): Promise<SandboxListing[]>;
  /** How many sandboxes there are, about: of this host where they live on one. */
  count(): Promise<number>;
  /** Ends what the provider itself holds (launcher, connections); sandboxes live on. */
  close(): Promise<void>;
}

export interface InputPiece {
  readonly generation: number;
  /** Position among the setup's `inputs`. */
  readonly input: number;
  /** Bytes before this piece; what the kernel has already is skipped. */
  readonly offset: number;
  readonly last: boolean;
  readonly bytes: Uint8Array;
}

export interface EventsRequest {
  readonly block: number;
  readonly after: number;
  readonly waitMs: number;
  /** Told how many bytes come, before they are read; they are read when it resolves. */
  readonly onReply?: (bytes: number) => Promise<void>;
}

/** @throws TypedError `Sandbox.Lost` when the sandbox is gone, `Sandbox.Diverged` on 409 of either kind, from every method. */
export interface Kernel {
  info(): Promise<KernelInfo>;
  setup(request: SetupRequest): Promise<KernelInfo>;
  /** A piece of an input of the setup; `sendInputs` sends them all. */
  input(request: InputPiece, signal?: AbortSignal): Promise<InputReply>;
  exec(request: ExecRequest): Promise<KernelInfo>;
  events(request: EventsRequest, signal?: AbortSignal): Promise<EventsReply>;
  output(request: { block: number; stream: 'stdout' | 'stderr'; offset: number }): Promise<Uint8Array>;
  answer(request: AnswersRequest): Promise<void>;
  interrupt(request: { generation: number; block: number }): Promise<void>;
  /** Whether every file of a clone is as its checkout left it; false also where that cannot be told. */
  unchanged(request: UnchangedRequest, signal?: AbortSignal): Promise<boolean>;
  process(request: ProcessRequest, signal?: AbortSignal): Promise<ProcessReply>;
  renew(): Promise<void>;
}

export interface PatchOptions {
  readonly brief?: boolean;
}

export interface Sandbox {
  readonly handle: SandboxHandle;
  readonly kernel: Kernel;
  /** Folder of the clone as the code sees it. */
  readonly workspace: string;
  /** The difference between the clone and its commit; with `brief` without notes where there is none, which is told sooner. */
  patch(signal?: AbortSignal, options?: PatchOptions): Promise<Patch>;
}
