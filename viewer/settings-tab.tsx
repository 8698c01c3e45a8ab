import type { ComponentChildren } from 'preact';
import type { RunView } from '../src/viewer/model.ts';
import { visible } from './format.ts';
import { highlight } from './highlight.tsx';
import { useData } from './hooks.ts';
import { Download } from './parts.tsx';

export function SettingsTab({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const file = data.link(view.run, 'document');
  return (
    <div class="wide">
      <h2>Configuration</h2>
      {view.config === null ? (
        <p class="quiet">Not known here.</p>
      ) : (
        <pre tabIndex={0} role="group" aria-label="Configuration">
          {highlight(visible(JSON.stringify(view.config, null, 2)), 'json')}
        </pre>
      )}
      <h2>Take it along</h2>
      {file !== undefined && (
        <p>
          <Download link={file}>Download the results as JSON</Download>
        </p>
      )}
      <p>
        <code>rlm export {view.run} --html</code> writes this page as one file.
      </p>
    </div>
  );
}
