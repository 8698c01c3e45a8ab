/** Tags that models put around their reasoning where the provider does not take it out. */
const OPENING = /^\s*<(think|thinking|reasoning|reason|thought|analysis)>/i;

/** A reply's reasoning, where it begins with some in tags, and what it says. */
export interface SplitReply {
  readonly reasoning: string;
  readonly text: string;
}

/**
 * Takes leading reasoning off a reply. Tags that are never closed leave no text; a closing tag alone ends reasoning whose
 * beginning stood in the prompt's template.
 */
export function splitReasoning(reply: string): SplitReply {
  const reasoning: string[] = [];
  let rest = reply;
  for (;;) {
    const [opening = '', name] = OPENING.exec(rest) ?? [];
    if (name === undefined) break;
    const closing = `</${name}>`.toLowerCase();
    const end = rest.toLowerCase().indexOf(closing, opening.length);
    reasoning.push(rest.slice(opening.length, end === -1 ? undefined : end).trim());
    rest = end === -1 ? '' : rest.slice(end + closing.length);
  }
  const stray = reasoning.length === 0 ? /<\/think(?:ing)?>/i.exec(rest) : null;
  if (stray !== null && !/<think(?:ing)?>/i.test(rest.slice(0, stray.index))) {
    reasoning.push(rest.slice(0, stray.index).trim());
    rest = rest.slice(stray.index + stray[0].length);
  }
  return reasoning.length === 0
    ? { reasoning: '', text: reply }
    : { reasoning: reasoning.join('\n\n'), text: rest.trimStart() };
}
