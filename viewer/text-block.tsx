import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Text } from '../src/viewer/model.ts';
import { count, visible } from './format.ts';
import { highlight } from './highlight.tsx';
import { useData } from './hooks.ts';
import { Copy, Download } from './parts.tsx';

/** Characters of one text that the page shows at most; what is longer is to be downloaded. */
const MAX_SHOWN = 2_000_000;

export interface TextBlockProps {
  readonly text: Text;
  readonly name: string;
  readonly run: string;
  readonly agent: string;
  readonly language?: string;
  readonly kind?: 'code' | 'output' | 'error' | 'prose';
}

/** A text of a run: inert, as it is, and as long as it may be. */
export function TextBlock({ text, name, run, agent, language, kind = 'output' }: TextBlockProps): ComponentChildren {
  const data = useData();
  const [more, setMore] = useState<readonly string[]>([]);
  /** Characters that are recorded: fewer than there were, where only head and tail are. */
  const [recorded, setRecorded] = useState(text.length);
  const [problem, setProblem] = useState<string | null>(null);
  const shown = text.text.length + more.reduce((sum, piece) => sum + piece.length, 0);
  const { at } = text;
  const canLoad = at !== undefined && data.isLive && shown < recorded && shown < MAX_SHOWN;
  const load = async (): Promise<void> => {
    try {
      const piece = await data.text({ run, agent, at: at ?? '' }, shown);
      setMore((before) => [...before, piece.text]);
      setRecorded(piece.length);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const body = useMemo(() => highlight(visible(text.text), language), [text.text, language]);
  const whole = text.blob === undefined ? undefined : data.link(run, `blobs/${text.blob}`);
  const isCut = at !== undefined && shown < text.length;
  return (
    <figure class={`text text-${kind}`}>
      <figcaption>
        <span>{name}</span>
        {text.length > 2000 && <span class="quiet">{count(text.length)} characters</span>}
        <Copy text={() => Promise.resolve([text.text, ...more].join(''))} what={name.toLowerCase()} />
      </figcaption>
      <pre tabIndex={0} role="group" aria-label={name} dir="auto">
        <code>{body}</code>
        {more.map((piece, index) => (
          <code key={index} class="piece">
            {visible(piece)}
          </code>
        ))}
      </pre>
      {(isCut || whole !== undefined) && (
        <p class="quiet">
          {isCut && `${count(shown)} of ${count(text.length)} characters. `}
          {canLoad && (
            <button type="button" class="small" onClick={() => void load()}>
              Show more
            </button>
          )}{' '}
          {isCut && !data.isLive && 'The exported file has no more of it. '}
          {whole !== undefined && <Download link={whole}>Download all of it</Download>}
          {whole === undefined && text.blob !== undefined && 'All of it is in the blob store.'}
        </p>
      )}
      {problem !== null && <p class="error-text">{problem}</p>}
    </figure>
  );
}
