import { parsePatch } from 'diff';

/** A file of a patch. */
export interface PatchFile {
  readonly name: string;
  /** What happened to it, where that is not an edit. */
  readonly note: string;
  readonly added: number;
  readonly removed: number;
  readonly hunks: readonly PatchHunk[];
  /** As it stands in the patch, where no hunks can be read. */
  readonly raw: string | null;
}

export interface PatchHunk {
  readonly title: string;
  readonly lines: readonly PatchLine[];
}

export interface PatchLine {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
  readonly before: number | null;
  readonly after: number | null;
}

/** The files of a patch as `git diff` writes it. What cannot be read is shown as it is. */
export function patchFiles(patch: string): PatchFile[] {
  return patch
    .split(/^(?=diff --git )/m)
    .filter((part) => part.trim() !== '')
    .map(readFile);
}

function readFile(part: string): PatchFile {
  const name = nameOf(part);
  const note = noteOf(part);
  if (part.includes('\nGIT binary patch') || /^Binary files /m.test(part))
    return { name, note: note === '' ? 'binary' : `binary, ${note}`, added: 0, removed: 0, hunks: [], raw: null };
  try {
    const hunks = (parsePatch(part)[0]?.hunks ?? []).map(({ lines, oldStart, oldLines, newStart, newLines }) => ({
      title: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
      lines: numbered(lines, oldStart, newStart),
    }));
    const all = hunks.flatMap(({ lines }) => lines);
    const count = (kind: PatchLine['kind']): number => all.filter((line) => line.kind === kind).length;
    return { name, note, added: count('added'), removed: count('removed'), hunks, raw: null };
  } catch {
    return { name, note, added: 0, removed: 0, hunks: [], raw: part };
  }
}

function numbered(lines: readonly string[], before: number, after: number): PatchLine[] {
  let [old, now] = [before, after];
  return lines.flatMap((line): PatchLine[] => {
    const text = line.slice(1);
    if (line.startsWith('+')) return [{ kind: 'added', text, before: null, after: now++ }];
    if (line.startsWith('-')) return [{ kind: 'removed', text, before: old++, after: null }];
    // "\ No newline at end of file"
    if (line.startsWith('\\')) return [];
    return [{ kind: 'same', text, before: old++, after: now++ }];
  });
}

function nameOf(part: string): string {
  const moved = /^rename to (.*)$/m.exec(part)?.[1];
  const to = /^\+\+\+ (?:"?b\/)(.*?)"?$/m.exec(part)?.[1];
  const from = /^--- (?:"?a\/)(.*?)"?$/m.exec(part)?.[1];
  return to ?? from ?? moved ?? /^diff --git "?a\/(.*?)"? "?b\//.exec(part)?.[1] ?? 'a file';
}

function noteOf(part: string): string {
  const renamed = /^rename from (.*)$/m.exec(part)?.[1];
  if (renamed !== undefined) return `renamed from ${renamed}`;
  if (/^new file mode/m.test(part)) return 'new';
  if (/^deleted file mode/m.test(part)) return 'deleted';
  const mode = /^old mode (\d+)\nnew mode (\d+)/m.exec(part);
  return mode === null ? '' : `mode ${mode[1]} to ${mode[2]}`;
}

/** Lines side by side: what was removed beside what took its place. */
export function pairs(
  lines: readonly PatchLine[],
): { readonly left: PatchLine | null; readonly right: PatchLine | null }[] {
  const found: { left: PatchLine | null; right: PatchLine | null }[] = [];
  let removed: PatchLine[] = [];
  let added: PatchLine[] = [];
  const flush = (): void => {
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1)
      found.push({ left: removed[index] ?? null, right: added[index] ?? null });
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === 'removed') removed.push(line);
    else if (line.kind === 'added') added.push(line);
    else {
      flush();
      found.push({ left: line, right: line });
    }
  }
  flush();
  return found;
}
