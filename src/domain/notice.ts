/** What a person wants to be told of a run while they are not looking. */
export const NOTICES = ['completed', 'failed', 'paused', 'approval'] as const;

export type NoticeEvent = (typeof NOTICES)[number];

/** As it is handed to the command of `notify`, and posted to its webhook. */
export interface Notice {
  /** failed: every end that is not `completed`. approval: a person is asked before something is done. */
  readonly event: NoticeEvent;
  readonly run: string;
  /** As in `rlm status`. */
  readonly status: string;
  /** Why, where there is something to say. */
  readonly reason: string | null;
  /** The beginning of the answer; null where there is none. */
  readonly answer: string | null;
  /** USD so far; null where it is not known here. */
  readonly cost: number | null;
  /** The command that shows more, or continues. */
  readonly next: string;
}

/** Tells a person about a run, as the worker's own configuration says. Never rejects. */
export type Notify = (notice: Notice) => Promise<void>;
