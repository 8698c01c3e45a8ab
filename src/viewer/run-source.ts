import type { Readable } from 'node:stream';
import type {
  AgentView,
  CallDetails,
  ControlOutcome,
  QuestionDetails,
  RequestView,
  RunList,
  RunStanding,
  RunView,
} from './model.ts';
import type { ControlOrder } from './orders.ts';

/**
 * Where the viewer reads runs: a blob store, or a folder of results files. Everything it gives is whole; who sends it to a
 * page cuts it.
 */
export interface RunSource {
  list(limit: number): Promise<RunList>;
  /** Undefined where there is no such run. */
  view(run: string): Promise<RunView | undefined>;
  /** Undefined where there is no such agent. */
  agent(run: string, agent: string): Promise<AgentView | undefined>;
  /** Every agent, parents before children, without what its parent did; from the one at this place on. */
  agents(run: string, from?: number): AsyncIterable<AgentView>;
  /** Undefined where there is no such call, or only its answer is known. */
  call(
    run: string,
    at: { agent: string; call: string; first: number; limit: number },
  ): Promise<CallDetails | undefined>;
  /** The request that the reply with this index answers; undefined where it cannot be rendered. */
  request(run: string, at: { agent: string; index: number }): Promise<RequestView | undefined>;
  /** The whole answer; undefined without one. */
  answer(run: string): Promise<unknown>;
  patch(run: string): Promise<Uint8Array | undefined>;
  /** A whole captured output. @throws TypedError `Storage.Missing` */
  blob(hash: string): Promise<Readable>;
  /** As `rlm export --json` writes it. */
  document(run: string): Promise<unknown>;
  /** Of a run that is looked at: undefined where there is none. */
  standing(run: string): Promise<RunStanding | undefined>;
  /** What a person is asked about; undefined where it is not asked any more. */
  question(run: string, id: string): Promise<QuestionDetails | undefined>;
  /** @throws TypedError `Input.Invalid` that says why the run cannot be controlled */
  control(run: string, order: ControlOrder): Promise<ControlOutcome>;
}
