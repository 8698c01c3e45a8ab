/** Sub-agents of a call that did not finish, with the error that the code was given for each of them. */
export interface FailureGroup {
  readonly agents: readonly string[];
  /** With `…` in the place of ids where there are several agents; null where it is not known here. */
  readonly error: string | null;
  /** The block printed the error of each. */
  readonly isPrinted: boolean;
}

/**
 * Those of the same error together: one line for all.
 *
 * @param agents in the order of their tasks
 * @param errors that the code was given, by agent
 * @param printed by the block that made the call
 */
export function groupFailures(
  agents: readonly string[],
  errors: ReadonlyMap<string, string>,
  printed: string,
): readonly FailureGroup[] {
  const groups = Map.groupBy(agents, (agent) => withoutIds(errors.get(agent) ?? ''));
  return [...groups].map(([shared, members]) => {
    const known = members.flatMap((agent) => errors.get(agent) ?? []);
    const error = known.length === 1 ? (known[0] ?? null) : shared;
    return {
      agents: members,
      error: known.length === 0 ? null : error,
      isPrinted: known.length > 0 && known.every((each) => printed.includes(each)),
    };
  });
}

function withoutIds(error: string): string {
  return error.replaceAll(/\b0(?:\.\d+)+\b/g, '…');
}
