import pLimit from 'p-limit';
import type { AnswerPromptsInput } from '../domain/contract.ts';
import type { Answer } from '../domain/records.ts';
import { truncate } from '../domain/truncate.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { persistWithRetry } from './persist-with-retry.ts';
import { callName, journalOf, type PromptEntry } from './prompt-journal.ts';

/** Characters of a reason that are quoted, and reasons that are. */
const MAX_REASON = 500;
const MAX_REASONS = 5;
/** Notes and journals that are read at a time, and of each at most. */
const READ_CONCURRENCY = 50;
const MAX_READ = 1000;

/** Prompts of one activity that have no answer, beside the journal of those that have one. */
interface FailedPrompts {
  /** Those without an entry in the journal: they were refused, and nothing was paid. */
  readonly unanswered: number;
  readonly reasons: Readonly<Record<string, number>>;
}

interface Answered {
  readonly from: number;
  readonly answers: readonly Answer[];
  readonly signal: AbortSignal;
}

/** Leaves a note where prompts failed: a run says at its end how many did. */
export async function noteFailedPrompts(
  deps: ActivityDependencies,
  input: ForAgent<AnswerPromptsInput>,
  { from, answers, signal }: Answered,
): Promise<void> {
  const failed = answers.flatMap((answer) =>
    'error' in answer && answer.error !== undefined && !('child' in answer) ? [{ ...answer, error: answer.error }] : [],
  );
  if (failed.length === 0) return;
  const reasons: Record<string, number> = {};
  for (const { error } of failed) reasons[reasonOf(error)] = (reasons[reasonOf(error)] ?? 0) + 1;
  const unanswered = failed.filter((answer) => answer.usage === undefined).length;
  const note: FailedPrompts = { unanswered, reasons };
  const name = `${notesOf(input.scope)}${callName(input)}.${from}`;
  await persistWithRetry(() => deps.blobs.setReference(name, note), signal);
}

/** One sentence for a person; undefined where every prompt of the run was answered. */
export async function describeFailedPrompts(
  blobs: BlobStore,
  run: { readonly run: string; readonly execution: string },
): Promise<string | undefined> {
  const names = await blobs.listReferences(notesOf(run));
  if (names.length === 0) return undefined;
  const notes = await readSome(names, async (name) => (await blobs.getReference(name)) as FailedPrompts);
  const reasons = new Map<string, number>();
  for (const note of notes)
    for (const [reason, count] of Object.entries(note.reasons)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const failed = sum([...reasons.values()]);
  const journals = await blobs.listJournals(journalOf(run));
  const all =
    sum(notes.map(({ unanswered }) => unanswered)) + sum(await readSome(journals, (name) => prompts(blobs, name)));
  const isMore = Math.max(names.length, journals.length) > MAX_READ;
  return `${isMore ? 'At least ' : ''}${failed} of ${all} llm_query calls failed: ${describeReasons(reasons)}`;
}

/** Prompts that have an entry in a journal. */
async function prompts(blobs: BlobStore, name: string): Promise<number> {
  const journal = await blobs.openJournal(name);
  await journal.close();
  return new Set((journal.entries as PromptEntry[]).map(({ index }) => index)).size;
}

async function readSome<T>(names: readonly string[], read: (name: string) => Promise<T>): Promise<T[]> {
  const limit = pLimit(READ_CONCURRENCY);
  return Promise.all(names.slice(0, MAX_READ).map((name) => limit(() => read(name))));
}

/** What the names of all notes of a run begin with; they go with its journal. */
function notesOf({ run, execution }: { readonly run: string; readonly execution: string }): string {
  return `journal/${run}@${execution}/failed/`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function describeReasons(reasons: ReadonlyMap<string, number>): string {
  const sorted = [...reasons].toSorted(([, a], [, b]) => b - a);
  const shown = sorted
    .slice(0, MAX_REASONS)
    .map(([reason, count]) => (sorted.length === 1 ? reason : `${count} x ${reason}`));
  const more = sorted.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} other reasons`] : [])].join('; ');
}

function reasonOf(error: string): string {
  return truncate(error, MAX_REASON);
}
