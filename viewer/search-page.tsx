import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { SearchHit, SearchPage as Page } from '../src/viewer/model.ts';
import { oneLine, plural } from './format.ts';
import { useData } from './hooks.ts';
import { Trouble } from './parts.tsx';
import { agentLink, runLink, searchLink } from './route.ts';

/** Hits that are shown without being asked for more. */
const MAX_HITS = 500;
const WHERE = ['task', 'reply', 'reasoning', 'code', 'output', 'error', 'answer'] as const;

/** Searches piece by piece, and shows what is found meanwhile. */
export function SearchPage({ text, run }: { readonly text: string; readonly run: string | null }): ComponentChildren {
  const data = useData();
  const [hits, setHits] = useState<readonly SearchHit[]>([]);
  const [page, setPage] = useState<Page | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [where, setWhere] = useState('');
  const [limit, setLimit] = useState(MAX_HITS);
  const isDone = page !== null && page.next === null;
  useEffect(() => {
    document.title = `${text} · search`;
    setHits([]);
    setPage(null);
    setError(null);
  }, [text, run]);
  useEffect(() => {
    if (text === '' || isDone || hits.length >= limit || error !== null) return undefined;
    let isCurrent = true;
    data.search({ text, run, from: page?.next ?? null }).then(
      (found) => {
        if (!isCurrent) return;
        setHits((before) => [...before, ...found.hits]);
        setPage(found);
      },
      (problem: unknown) => isCurrent && setError(problem instanceof Error ? problem.message : String(problem)),
    );
    return () => {
      isCurrent = false;
    };
  }, [text, run, page, limit]);
  const shown = where === '' ? hits : hits.filter((hit) => hit.where === where);
  return (
    <div class="wide">
      <h1>Search: {oneLine(text)}</h1>
      <p role="status">
        {isDone ? `${plural(hits.length, 'place')} found.` : `${plural(hits.length, 'place')} found so far…`}{' '}
        {page !== null && !isDone && (
          <span class="quiet">
            {plural(page.searched.run, 'run')} of {page.searched.of} searched, and{' '}
            {plural(page.searched.agent, 'agent')} of the next
          </span>
        )}
      </p>
      <p>
        {run === null ? (
          'In all runs.'
        ) : (
          <>
            In run <a href={runLink(run)}>{run}</a>. <a href={searchLink(text, null)}>Search all runs</a>
          </>
        )}
      </p>
      {error !== null && <Trouble text={error} />}
      <div class="filters">
        <label>
          Where
          <select value={where} onChange={(event) => setWhere(event.currentTarget.value)}>
            <option value="">anywhere</option>
            {WHERE.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
      </div>
      <ol class="hits">
        {shown.map((hit, index) => (
          <li key={index}>
            <a href={agentLink(hit.run, hit.agent, hit.iteration)}>
              {run === null && `${hit.run} · `}agent {hit.agent}
              {hit.iteration !== null && ` · iteration ${hit.iteration}`}
            </a>{' '}
            <span class="quiet">{hit.where}</span>
            <p class="excerpt" dir="auto">
              {oneLine(hit.excerpt.slice(0, hit.from))}
              {hit.from > 0 && /\s$/.test(hit.excerpt.slice(0, hit.from)) && ' '}
              <mark>{oneLine(hit.excerpt.slice(hit.from, hit.to))}</mark>
              {/^\s/.test(hit.excerpt.slice(hit.to)) && ' '}
              {oneLine(hit.excerpt.slice(hit.to))}
            </p>
          </li>
        ))}
      </ol>
      {!isDone && hits.length >= limit && (
        <button type="button" onClick={() => setLimit(limit + MAX_HITS)}>
          Search on
        </button>
      )}
    </div>
  );
}
