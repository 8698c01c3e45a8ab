/** Beginnings of the notes that tell why a run has no patch. */
const REASON = /^(?:There is no patch: |The patch could not be taken: |The patch was refused: |There was no sandbox)/;

/** Why a run that has ended has no patch, of its notes; undefined where it changed nothing. */
export function whyNoPatch(notes: readonly string[]): string | undefined {
  return notes.find((note) => REASON.test(note));
}
