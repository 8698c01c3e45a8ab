import { diffLines } from 'diff';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { RequestView } from '../src/viewer/model.ts';
import { plural, visible } from './format.ts';
import { useData, useLoaded } from './hooks.ts';
import { Show } from './parts.tsx';
import { TextBlock } from './text-block.tsx';

/** The messages of a request: what is new since the one before, and all of it where asked for. */
export function RequestDiff({
  run,
  agent,
  index,
}: {
  readonly run: string;
  readonly agent: string;
  readonly index: number;
}): ComponentChildren {
  const data = useData();
  const [all, setAll] = useState(false);
  const loaded = useLoaded(() => data.request({ run, agent, index }), [`${agent} ${index}`]);
  return (
    <Show of={loaded} what="the request">
      {(request) => {
        const same = request.messages.filter(({ change }) => change === 'same').length;
        const shown = request.messages.filter(({ change }) => all || change !== 'same');
        return (
          <div class="request">
            <p class="quiet">
              {plural(request.messages.length, 'message')}; {same} as in the request before
              {request.left_out > 0 && `; ${request.left_out} of it left out`}.{' '}
              {same > 0 && (
                <button type="button" class="small" aria-pressed={all} onClick={() => setAll(!all)}>
                  {all ? 'Only what changed' : 'Show all messages'}
                </button>
              )}
            </p>
            {shown.map((message, at) => (
              <Message key={at} message={message} run={run} agent={agent} />
            ))}
          </div>
        );
      }}
    </Show>
  );
}

function Message({
  message,
  run,
  agent,
}: {
  readonly message: RequestView['messages'][number];
  readonly run: string;
  readonly agent: string;
}): ComponentChildren {
  const { role, content, change, before } = message;
  if (change !== 'changed' || before === undefined)
    return (
      <TextBlock
        run={run}
        agent={agent}
        text={content}
        name={`${role} (${change === 'new' ? 'new' : 'as before'})`}
        kind="prose"
      />
    );
  return (
    <figure class="text">
      <figcaption>{role} (changed)</figcaption>
      <pre tabIndex={0} role="group" aria-label={`${role}, changed`}>
        {diffLines(before.text, content.text).map((part, at) =>
          part.added ? (
            <ins key={at}>{visible(part.value)}</ins>
          ) : part.removed ? (
            <del key={at}>{visible(part.value)}</del>
          ) : (
            visible(part.value)
          ),
        )}
      </pre>
    </figure>
  );
}
