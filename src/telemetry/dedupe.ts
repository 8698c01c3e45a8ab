/** Names seen before, the newest `capacity` of them. */
export function createDedupe(capacity = 10_000): (name: string) => boolean {
  const seen = new Set<string>();
  return (name) => {
    if (seen.has(name)) return false;
    seen.add(name);
    if (seen.size > capacity) for (const oldest of seen.keys()) return seen.delete(oldest);
    return true;
  };
}
