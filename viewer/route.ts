/** What the page shows: it stands after `#` in its address, so an exported file has the same. */
export type Route =
  | { readonly page: 'runs' }
  | { readonly page: 'search'; readonly text: string; readonly run: string | null }
  | { readonly page: 'compare'; readonly a: string; readonly b: string }
  | { readonly page: 'run'; readonly run: string; readonly tab: Tab }
  | { readonly page: 'agent'; readonly run: string; readonly agent: string; readonly iteration: number | null }
  | { readonly page: 'unknown' };

export const TABS = ['overview', 'agents', 'timeline', 'costs', 'patch', 'settings'] as const;
export type Tab = (typeof TABS)[number];

export function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map(decode);
  const given = new URLSearchParams(query);
  const [first = '', run = '', tab = 'overview', agent, iteration] = parts;
  if (first === '' || (first === 'runs' && run === '')) return { page: 'runs' };
  if (first === 'search') return { page: 'search', text: given.get('text') ?? '', run: given.get('run') };
  if (first === 'compare') return { page: 'compare', a: given.get('a') ?? '', b: given.get('b') ?? '' };
  if (first !== 'runs') return { page: 'unknown' };
  if (tab === 'agents' && agent !== undefined && agent !== '')
    return { page: 'agent', run, agent, iteration: iteration === undefined ? null : Number(iteration) };
  const known = TABS.find((each) => each === tab);
  return known === undefined ? { page: 'unknown' } : { page: 'run', run, tab: known };
}

export function runLink(run: string, tab: Tab = 'overview'): string {
  return `#/runs/${encodeURIComponent(run)}${tab === 'overview' ? '' : `/${tab}`}`;
}

export function agentLink(run: string, agent: string, iteration?: number | null): string {
  const at = iteration === undefined || iteration === null ? '' : `/${iteration}`;
  return `#/runs/${encodeURIComponent(run)}/agents/${agent}${at}`;
}

export function searchLink(text: string, run: string | null): string {
  return `#/search?${new URLSearchParams({ text, ...(run === null ? {} : { run }) }).toString()}`;
}

export function compareLink(a: string, b: string): string {
  return `#/compare?${new URLSearchParams({ a, b }).toString()}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
