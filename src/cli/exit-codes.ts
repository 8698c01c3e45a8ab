import type { RunDocument } from '../results/run-document.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
/** Wrong usage or configuration, found before anything was spent. */
export const EXIT_USAGE = 2;
/** The global timeout struck; there are partial results. */
export const EXIT_TIMED_OUT = 124;
/** Cancelled, or left with Ctrl-C. */
export const EXIT_CANCELLED = 130;

/** Of a command that followed a run until this status. */
export function exitCodeOf(status: RunDocument['status']): number {
  switch (status) {
    case 'completed':
      return EXIT_DONE;
    case 'timed_out':
      return EXIT_TIMED_OUT;
    case 'cancelled':
      return EXIT_CANCELLED;
    default:
      return EXIT_FAILED;
  }
}
