import type { AnswerPromptsInput } from '../domain/contract.ts';
import type { Usage } from '../domain/usage.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ForAgent } from './dependencies.ts';

/** What one prompt of `llm_query` got, with the text itself: written the moment the answer is there. */
export interface PromptEntry {
  /** Of the prompt, in its call. */
  readonly index: number;
  readonly outcome: 'answered' | 'cut' | 'withheld' | 'empty';
  readonly text: string;
  /** Of all answers to it. */
  readonly usage: Usage;
  /** Answers to it; more than one where the first were empty. */
  readonly asked: number;
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number;
}

/** Of the prompts of one activity. */
export interface PromptJournal {
  read(index: number): PromptEntry | undefined;
  write(entry: PromptEntry): Promise<void>;
  close(): Promise<void>;
}

type AskedCall = Pick<ForAgent<AnswerPromptsInput>, 'scope' | 'call' | 'request'>;

/** @param from - index of the first prompt of the activity */
export async function openPromptJournal(blobs: BlobStore, input: AskedCall, from: number): Promise<PromptJournal> {
  const journal = await blobs.openJournal(`${journalOf(input.scope)}${callName(input)}.${from}`);
  const entries = new Map((journal.entries as PromptEntry[]).map((entry) => [entry.index, entry]));
  return {
    read: (index) => entries.get(index),
    write(entry) {
      entries.set(entry.index, entry);
      return journal.append(entry);
    },
    close: () => journal.close(),
  };
}

/** The idempotency key of a prompt: the same each time that the prompt of this call is asked. */
export function promptKey(input: AskedCall, index: number): string {
  return `${input.scope.execution}/${callName(input)}.${index}`;
}

/** By what was asked as well: in a rebuilt sandbox another call may have the same number. */
export function callName({ scope, call, request }: AskedCall): string {
  return `${scope.agent}/${call}-${request.slice(0, 16)}`;
}

/** What the names of all journals of a run begin with. */
export function journalOf({ run, execution }: { readonly run: string; readonly execution: string }): string {
  return `${run}@${execution}/`;
}
