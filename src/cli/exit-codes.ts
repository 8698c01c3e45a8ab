import type { RunDocument } from '../results/run-document.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
/** Wrong usage or configuration, found before anything was spent. */
export const EXIT_USAGE = 2;
/** Ended without FINAL: the answer is the last that the model gave. */
export const EXIT_WITHOUT_FINAL = 3;
/** Global timeout reached; there are partial results. */
export const EXIT_TIMED_OUT = 124;
/** Cancelled, or left with Ctrl-C. */
export const EXIT_CANCELLED = 130;

/** Of a command that followed a run until this came of it. */
export function exitCodeOf({ status, answer_source }: Pick<RunDocument, 'status' | 'answer_source'>): number {
  switch (status) {
    case 'completed':
      return answer_source === 'final' ? EXIT_DONE : EXIT_WITHOUT_FINAL;
    case 'timed_out':
      return EXIT_TIMED_OUT;
    case 'cancelled':
      return EXIT_CANCELLED;
    default:
      return EXIT_FAILED;
  }
}
