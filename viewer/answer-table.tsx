import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { plural, visible } from './format.ts';
import { useData } from './hooks.ts';
import { Download } from './parts.tsx';

type Row = Readonly<Record<string, unknown>>;

/** Rows in the page at a time. */
const SHOWN = 200;

export function isTable(value: unknown): value is readonly Row[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row))
  );
}

/** A list of dicts: sorted by a column, filtered by a text, drawn, and to be downloaded. */
export function AnswerTable({
  run,
  field,
  rows,
}: {
  readonly run: string;
  readonly field: string;
  readonly rows: readonly Row[];
}): ComponentChildren {
  const data = useData();
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState<{ readonly key: string; readonly isDown: boolean } | null>(null);
  const [shown, setShown] = useState(SHOWN);
  const keys = useMemo(() => [...new Set(rows.slice(0, 1000).flatMap((row) => Object.keys(row)))].slice(0, 50), [rows]);
  const found = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const kept = wanted === '' ? rows : rows.filter((row) => JSON.stringify(row).toLowerCase().includes(wanted));
    if (sort === null) return kept;
    const sorted = kept.toSorted((a, b) => compare(a[sort.key], b[sort.key]));
    return sort.isDown ? sorted.toReversed() : sorted;
  }, [rows, filter, sort]);
  const csv = data.link(run, `answer?csv=${encodeURIComponent(field)}`);
  return (
    <div class="answer-table">
      <div class="filters">
        <label>
          Filter rows
          <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        </label>
        <span class="quiet" role="status">
          {plural(found.length, 'row')}
        </span>
        {csv !== undefined && <Download link={csv}>Download CSV</Download>}
      </div>
      {data.isLive && <Plot run={run} rows={rows} keys={keys} />}
      <div class="scroll-x" role="region" aria-label={`Table ${field}`} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {keys.map((key) => (
                <th key={key} aria-sort={sort?.key !== key ? 'none' : sort.isDown ? 'descending' : 'ascending'}>
                  <button
                    type="button"
                    class="sort"
                    onClick={() => setSort({ key, isDown: sort?.key === key && !sort.isDown })}
                  >
                    {visible(key)} <span aria-hidden="true">{sort?.key !== key ? '↕' : sort.isDown ? '↓' : '↑'}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.slice(0, shown).map((row, index) => (
              <tr key={index}>
                {keys.map((key) => (
                  <td key={key} class={typeof row[key] === 'number' ? 'number' : ''} dir="auto">
                    {cell(row[key])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.length > shown && (
        <button type="button" onClick={() => setShown(shown + SHOWN)}>
          Show more rows
        </button>
      )}
    </div>
  );
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  return visible(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 1000);
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return cell(a).localeCompare(cell(b), 'en', { numeric: true });
}

/** The chart of `rlm analyze --plot`, drawn by the server: an image, in which nothing runs. */
function Plot({
  run,
  rows,
  keys,
}: {
  readonly run: string;
  readonly rows: readonly Row[];
  readonly keys: readonly string[];
}): ComponentChildren {
  const data = useData();
  const numbers = keys.filter((key) => rows.some((row) => typeof row[key] === 'number'));
  const [x, setX] = useState(numbers[0] ?? keys[0] ?? '');
  const [y, setY] = useState(numbers[1] ?? numbers[0] ?? '');
  const others = keys.filter((key) => !numbers.includes(key));
  const [series, setSeries] = useState(others.find((key) => new Set(rows.map((row) => row[key])).size <= 40) ?? '');
  const [isOpen, setOpen] = useState(false);
  const [failed, setFailed] = useState(false);
  if (numbers.length === 0) return null;
  const plot = [`x=${x}`, `y=${y}`, ...(series === '' ? [] : [`series=${series}`])].join(',');
  const address = data.link(run, `chart?plot=${encodeURIComponent(plot)}`);
  const choose = (set: (key: string) => void) => (event: { readonly currentTarget: HTMLSelectElement }) => {
    setFailed(false);
    set(event.currentTarget.value);
  };
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Chart</summary>
      {isOpen && (
        <>
          <div class="filters">
            <Choice name="Along" value={x} keys={keys} onChange={choose(setX)} />
            <Choice name="Up" value={y} keys={numbers} onChange={choose(setY)} />
            <Choice name="A line for each" value={series} keys={['', ...keys]} onChange={choose(setSeries)} />
          </div>
          {failed ? (
            <p class="error-text">These keys cannot be drawn: along needs numbers or dates, up needs numbers.</p>
          ) : (
            <img
              class="chart"
              src={address}
              alt={`${y} by ${x}${series === '' ? '' : `, a line for each ${series}`}`}
              onError={() => setFailed(true)}
            />
          )}
        </>
      )}
    </details>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly value: string;
  readonly keys: readonly string[];
  readonly onChange: (event: { readonly currentTarget: HTMLSelectElement }) => void;
}

function Choice({ name, value, keys, onChange }: ChoiceProps): ComponentChildren {
  return (
    <label>
      {name}
      <select value={value} onChange={onChange}>
        {keys.map((key) => (
          <option key={key} value={key}>
            {key === '' ? '(one line)' : visible(key)}
          </option>
        ))}
      </select>
    </label>
  );
}
