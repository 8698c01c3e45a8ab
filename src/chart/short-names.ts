/**
 * Names of at most so many characters, each another: what is longer loses its middle, because names that are long often
 * begin alike. Those that are still alike are numbered.
 */
export function shortNames(names: readonly string[], longest: number): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let short = cut(name, longest);
    for (let number = 2; taken.has(short); number += 1) short = `${cut(name, longest - 5)} (${number})`;
    taken.add(short);
    return short;
  });
}

/** Whole characters, as a reader counts them. */
function cut(name: string, longest: number): string {
  const characters = Array.from(name);
  if (characters.length <= longest) return name;
  const head = Math.ceil((longest - 1) / 2);
  const [start, end] = [characters.slice(0, head), characters.slice(characters.length - (longest - 1 - head))];
  return `${start.join('').trimEnd()}…${end.join('').trimStart()}`;
}
