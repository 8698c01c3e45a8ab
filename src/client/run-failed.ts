import type { RunDocument } from '../results/run-document.ts';

/** A run that did not come to its end; what it has all the same is in `document`. */
export class RunFailedError extends Error {
  readonly document: RunDocument;

  constructor(document: RunDocument) {
    const { run_id, status, error } = document;
    super(`Run ${run_id} ended ${status}${error === null ? '' : `: ${error}`}`);
    this.name = 'RunFailedError';
    this.document = document;
  }
}
