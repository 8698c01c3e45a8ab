const FENCE = /^([ \t]*)(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+-]*)[^\n`]*$/;
const RUNNABLE = new Set(['python', 'py', 'python3', 'repl']);

/**
 * The code of a reply: its ```python, ```py and ```repl blocks, in order. A fence that is never closed runs to the end.
 * Other fences (```bash, ```json, plain ```) are text.
 */
export function codeBlocks(reply: string): string[] {
  return readReply(reply).blocks;
}

/** What a reply says around its code. */
export function proseOf(reply: string): string {
  return readReply(reply).prose.trim();
}

function readReply(reply: string): { blocks: string[]; prose: string } {
  const blocks: string[] = [];
  const prose: string[] = [];
  let open: { fence: string; indent: string; runnable: boolean; lines: string[] } | undefined;
  const close = (): void => {
    if (open?.runnable === false) prose.push(...open.lines);
    if (open?.runnable && open.lines.some((line) => line.trim() !== '')) blocks.push(`${open.lines.join('\n')}\n`);
    open = undefined;
  };
  for (const line of reply.split(/\r?\n/)) {
    const fence = FENCE.exec(line);
    if (open === undefined) {
      if (fence) {
        open = {
          fence: fence[2] ?? '',
          indent: fence[1] ?? '',
          runnable: RUNNABLE.has((fence[3] ?? '').toLowerCase()),
          lines: [],
        };
      } else prose.push(line);
      continue;
    }
    const trimmed = line.trim();
    const closes =
      fence !== null &&
      fence[3] === '' &&
      trimmed.startsWith(open.fence) &&
      trimmed === (trimmed[0] ?? '').repeat(trimmed.length);
    if (closes) close();
    else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  }
  close();
  return { blocks, prose: prose.join('\n') };
}
