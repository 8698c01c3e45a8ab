import type { ComponentChildren } from 'preact';
import { useEffect, useErrorBoundary, useRef } from 'preact/hooks';
import { ComparePage } from './compare-page.tsx';
import type { Data } from './data.ts';
import { DataContext, useRoute, useStored } from './hooks.ts';
import { Trouble } from './parts.tsx';
import { searchLink, type Route } from './route.ts';
import { RunPage } from './run-page.tsx';
import { RunsPage } from './runs-page.tsx';
import { SearchPage } from './search-page.tsx';

export function App({ data }: { readonly data: Data }): ComponentChildren {
  const [theme, setTheme] = useStored('theme', 'system');
  const route = useRoute();
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return (
    <DataContext.Provider value={data}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href="#/">
          <span aria-hidden="true">◆</span> {data.only === undefined ? 'Runs' : 'rlm'}
        </a>
        <SearchBox route={route} />
        <label class="theme">
          <span class="unseen">Theme</span>
          <select value={theme} onChange={(event) => setTheme(event.currentTarget.value)}>
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
        </label>
      </header>
      <main id="main" tabIndex={-1}>
        <Guarded key={pageKey(route)}>
          <Page route={route} />
        </Guarded>
      </main>
    </DataContext.Provider>
  );
}

/** The address after `#` is the page's own, so the browser cannot jump by it. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#main')?.focus();
}

function pageKey(route: Route): string {
  return 'run' in route ? `${route.page === 'search' ? 'search' : 'run'} ${route.run ?? ''}` : route.page;
}

function Page({ route }: { readonly route: Route }): ComponentChildren {
  switch (route.page) {
    case 'runs':
      return <RunsPage />;
    case 'search':
      return <SearchPage text={route.text} run={route.run} />;
    case 'compare':
      return <ComparePage a={route.a} b={route.b} />;
    case 'run':
      return <RunPage run={route.run} tab={route.tab} agent={null} iteration={null} />;
    case 'agent':
      return <RunPage run={route.run} tab="agents" agent={route.agent} iteration={route.iteration} />;
    default:
      return <Trouble text="There is no such page. The link may be of another version." />;
  }
}

function Guarded({ children }: { readonly children: ComponentChildren }): ComponentChildren {
  const [error, again] = useErrorBoundary();
  if (error === undefined) return children;
  return <Trouble text={`This page failed: ${error instanceof Error ? error.message : String(error)}`} again={again} />;
}

function SearchBox({ route }: { readonly route: Route }): ComponentChildren {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const run = 'run' in route ? route.run : null;
  const onSubmit = (event: Event): void => {
    event.preventDefault();
    const text = input.current?.value.trim() ?? '';
    if (text !== '') location.hash = searchLink(text, run).slice(1);
  };
  return (
    <form role="search" class="search" onSubmit={onSubmit}>
      <input
        ref={input}
        type="search"
        aria-label={run === null ? 'Search all runs' : `Search run ${run}`}
        placeholder={run === null ? 'Search all runs  ( / )' : 'Search this run  ( / )'}
        defaultValue={route.page === 'search' ? route.text : ''}
      />
    </form>
  );
}
