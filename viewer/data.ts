import type {
  AgentView,
  CallDetails,
  ControlOutcome,
  Provenance,
  QuestionDetails,
  RequestView,
  RunEvent,
  RunList,
  RunStanding,
  RunView,
  SearchPage,
  Statistics,
} from '../src/viewer/model.ts';

/** Where the page gets what it shows: a server, or the file that it was exported to. */
export interface Data {
  /** Whether it can be asked for more than was exported. */
  readonly isLive: boolean;
  /** The run of an exported page, which has no other. */
  readonly only?: string;
  runs(): Promise<RunList>;
  run(run: string): Promise<RunView>;
  statistics(run: string): Promise<Statistics>;
  provenance(run: string): Promise<Provenance>;
  /** Its newest iterations, or those from `first` on. */
  agent(run: string, agent: string, first?: number): Promise<AgentView>;
  text(place: { run: string; agent: string; at: string }, from: number): Promise<{ text: string; length: number }>;
  call(place: { run: string; agent: string; call: string }, first: number): Promise<CallDetails>;
  request(place: { run: string; agent: string; index: number }): Promise<RequestView>;
  patch(run: string): Promise<string>;
  search(what: { text: string; run: string | null; from: string | null }): Promise<SearchPage>;
  /** Follows a run until it ends. @returns what ends the following */
  follow(run: string, listener: Listener): () => void;
  /** How it stands, of one that has ended: somebody may retry it. */
  standing(run: string): Promise<RunStanding>;
  /** The whole call or patch that an agent asks about. */
  question(run: string, id: string): Promise<QuestionDetails>;
  /** @throws DataError with what the run, or the server, says against it */
  control(run: string, order: object): Promise<ControlOutcome>;
  /** Address of something to download; undefined where there is none. */
  link(run: string, what: string): string | undefined;
  /** @throws DataError that says why what is there cannot be downloaded, such as that it is missing in the blob store */
  check(link: string): Promise<void>;
}

export interface Listener {
  readonly onChange: (event: RunEvent) => void;
  /** The server has gone, or cannot read the run; it is asked again. Null when it is back. */
  readonly onTrouble: (why: string | null) => void;
  readonly onEnd: () => void;
}

/** What the server said went wrong. */
export class DataError extends Error {}
