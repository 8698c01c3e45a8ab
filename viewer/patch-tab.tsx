import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { RunView } from '../src/viewer/model.ts';
import { hasEnded } from '../src/viewer/run-status.ts';
import { plural, visible } from './format.ts';
import { highlight, languageOf } from './highlight.tsx';
import { useData, useLoaded, useStored } from './hooks.ts';
import { Copy, Download, Show } from './parts.tsx';
import { pairs, patchFiles, type PatchFile, type PatchLine } from './patch-files.ts';

/** Files that are open at first, and lines of one that are: a patch may have any size. */
const OPEN_FILES = 20;
const OPEN_LINES = 1000;
const MAX_LINES = 5000;

export function PatchTab({ view }: { readonly view: RunView }): ComponentChildren {
  if (view.patch !== null) return <TakenPatch run={view.run} />;
  return (
    <div class="wide">
      <NoPatch view={view} />
    </div>
  );
}

/** Why there is no patch: that nothing is shown could mean anything. */
export function NoPatch({ view }: { readonly view: RunView }): ComponentChildren {
  const { no_patch } = view;
  if (no_patch !== null) return <p>{visible(no_patch.reason ?? 'No patch: nothing was changed.')}</p>;
  if (view.type === 'analyze') return <p>No patch: an analysis changes no repository.</p>;
  if (!hasEnded(view.status)) return <p>No patch yet: it is taken when the run ends.</p>;
  return <p>No patch is known here.</p>;
}

function TakenPatch({ run }: { readonly run: string }): ComponentChildren {
  const data = useData();
  const loaded = useLoaded(() => data.patch(run), [run]);
  const [view, setView] = useStored('diff', 'unified');
  const download = data.link(run, 'patch?download');
  return (
    <div class="wide">
      <div class="filters">
        <label>
          Show it
          <select value={view} onChange={(event) => setView(event.currentTarget.value)}>
            <option value="unified">unified</option>
            <option value="split">side by side</option>
          </select>
        </label>
        {download !== undefined && <Download link={download} />}
        <code>rlm patch {run} | git apply</code>
      </div>
      <Show of={loaded} what="the patch">
        {(patch) => <Patch patch={patch} isSplit={view === 'split'} />}
      </Show>
    </div>
  );
}

export function Patch({ patch, isSplit }: { readonly patch: string; readonly isSplit: boolean }): ComponentChildren {
  const files = useMemo(() => patchFiles(patch), [patch]);
  const sum = (of: 'added' | 'removed'): number => files.reduce((total, file) => total + file[of], 0);
  return (
    <>
      <p>
        {plural(files.length, 'file')}, <span class="added-text">+{sum('added')}</span>{' '}
        <span class="removed-text">−{sum('removed')}</span> <Copy text={patch} what="patch" />
      </p>
      {files.map((file, index) => (
        <File key={index} file={file} isSplit={isSplit} isFirst={index < OPEN_FILES} />
      ))}
    </>
  );
}

function File({
  file,
  isSplit,
  isFirst,
}: {
  readonly file: PatchFile;
  readonly isSplit: boolean;
  readonly isFirst: boolean;
}): ComponentChildren {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const [isOpen, setOpen] = useState(isFirst && lines <= OPEN_LINES);
  return (
    <details class="patch-file" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <code>{visible(file.name)}</code> {file.note !== '' && <span class="quiet">{visible(file.note)}</span>}{' '}
        <span class="added-text">+{file.added}</span> <span class="removed-text">−{file.removed}</span>
      </summary>
      {isOpen && file.raw !== null && (
        <pre tabIndex={0} role="group" aria-label={file.name}>
          {visible(file.raw)}
        </pre>
      )}
      {isOpen && file.hunks.length > 0 && <Hunks file={file} isSplit={isSplit} />}
    </details>
  );
}

function Hunks({ file, isSplit }: { readonly file: PatchFile; readonly isSplit: boolean }): ComponentChildren {
  const language = languageOf(file.name);
  let left = MAX_LINES;
  return (
    <div class="scroll-x" role="region" aria-label={`Changes of ${file.name}`} tabIndex={0}>
      <table class={`diff ${isSplit ? 'diff-split' : ''}`}>
        {file.hunks.map((hunk, index) => {
          const lines = hunk.lines.slice(0, Math.max(0, left));
          left -= hunk.lines.length;
          if (lines.length === 0) return null;
          return (
            <tbody key={index}>
              <tr class="hunk">
                <td colSpan={isSplit ? 4 : 3}>{hunk.title}</td>
              </tr>
              {isSplit
                ? pairs(lines).map((pair, at) => (
                    <tr key={at}>
                      <Side line={pair.left} number={pair.left?.before ?? null} language={language} />
                      <Side line={pair.right} number={pair.right?.after ?? null} language={language} />
                    </tr>
                  ))
                : lines.map((line, at) => (
                    <tr key={at}>
                      <td class="line-number">{line.before ?? ''}</td>
                      <td class="line-number">{line.after ?? ''}</td>
                      <Line line={line} language={language} />
                    </tr>
                  ))}
            </tbody>
          );
        })}
      </table>
      {left < 0 && <p class="quiet">The first {MAX_LINES} lines of this file. Download the patch for all of it.</p>}
    </div>
  );
}

function Side({
  line,
  number,
  language,
}: {
  readonly line: PatchLine | null;
  readonly number: number | null;
  readonly language: string | undefined;
}): ComponentChildren {
  if (line === null) {
    return (
      <>
        <td class="line-number" />
        <td class="line-none" />
      </>
    );
  }
  return (
    <>
      <td class="line-number">{number}</td>
      <Line line={line} language={language} />
    </>
  );
}

const SIGNS = { same: ' ', added: '+', removed: '−' } as const;

function Line({
  line,
  language,
}: {
  readonly line: PatchLine;
  readonly language: string | undefined;
}): ComponentChildren {
  return (
    <td class={`line line-${line.kind}`}>
      <span class="sign">{SIGNS[line.kind]}</span>
      {highlight(visible(line.text.slice(0, 2000)), language)}
    </td>
  );
}
