/** The names most like `wanted`, best first: what a person may have meant. */
export function closeNames(wanted: string, names: readonly string[], most = 3): string[] {
  const limit = Math.max(2, Math.ceil(wanted.length / 2));
  return names
    .slice(0, 2000)
    .map((name) => ({ name, distance: isPart(wanted, name) ? 1 : editDistance(wanted, name) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((left, right) => left.distance - right.distance || left.name.localeCompare(right.name))
    .slice(0, most)
    .map(({ name }) => name);
}

function isPart(wanted: string, name: string): boolean {
  return wanted.length > 2 && name.toLowerCase().includes(wanted.toLowerCase());
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, place) => place);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
