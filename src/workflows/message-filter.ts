/**
 * Tells messages that are new from those that were applied before: a client that is not sure whether its signal
 * arrived sends it again with the same id. One without an id is always new.
 */
export function createMessageFilter(): (message: unknown) => boolean {
  const applied = new Set<string>();
  return (message) => {
    const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : undefined;
    if (typeof id !== 'string') return true;
    if (applied.has(id)) return false;
    applied.add(id);
    return true;
  };
}
