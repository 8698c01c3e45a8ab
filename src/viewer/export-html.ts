import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { readable } from './lost.ts';
import type { AgentView, RunView } from './model.ts';
import { readPageFiles } from './page-files.ts';
import { readProvenance } from './provenance.ts';
import { createStatistics } from './read-statistics.ts';
import { redacted } from './redact.ts';
import type { RunSource } from './run-source.ts';
import { shortenTexts } from './text.ts';

/**
 * The page with all that a run did, as one file. It runs its own script and no other, and loads nothing. Each part is
 * packed by itself, so that a run of a thousand agents opens as fast as one of ten.
 *
 * @returns undefined where there is no such run
 */
export async function exportHtml(
  source: RunSource,
  run: string,
  { redact }: { readonly redact: boolean },
): Promise<string | undefined> {
  const found = await source.view(run);
  if (found === undefined) return undefined;
  const hide = <T>(value: T): T => (redact ? redacted(value) : value);
  const parts: string[] = [];
  const add = async (name: string, value: unknown): Promise<void> => {
    parts.push(`<script type="application/x-part" data-name="${name}">${await packed(value)}</script>`);
  };
  const view: RunView = {
    ...found,
    prompt: shortenTexts(found.prompt),
    questions: [],
    controls: [],
    uncontrollable: null,
  };
  await add('run', hide(view));
  const statistics = createStatistics(found.agents, found.started_at);
  for (const { id } of found.agents) {
    // oxlint-disable-next-line no-await-in-loop -- a thousand agents are not held at once
    const agent = await source.agent(run, id);
    if (agent === undefined) continue;
    statistics.add(agent);
    // oxlint-disable-next-line no-await-in-loop -- in their order
    await add(`agent ${id}`, hide(withoutFurther(agent)));
  }
  await add('statistics', hide(statistics.statistics()));
  // What is missing is named in the run itself.
  const known = async <T>(reading: Promise<T | undefined>): Promise<T | undefined> => {
    const read = await readable('This part', reading);
    return 'value' in read ? read.value : undefined;
  };
  const provenance = redact ? undefined : await known(readProvenance(source, run));
  if (provenance !== undefined) await add('provenance', shortenTexts(provenance));
  const patch = redact ? undefined : await known(source.patch(run));
  if (patch !== undefined) await add('patch', Buffer.from(patch).toString('utf8'));
  const { html, script: built, style } = await readPageFiles();
  const script = inlined(built);
  const policy = `default-src 'none'; script-src '${sourceHash(script)}'; style-src '${sourceHash(style)}'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
  return html
    .replace(
      '<meta charset="utf-8" />',
      (found_) => `${found_}<meta http-equiv="content-security-policy" content="${policy}" />`,
    )
    .replace(/<link [^>]*page\.css[^>]*>/, () => `<style>${style}</style>`)
    .replace(/<script [^>]*page\.js[^>]*><\/script>/, '')
    .replace('</body>', () => `${parts.join('\n')}<script type="module">${script}</script></body>`);
}

/** What only a server can give: the rest of texts, and calls. */
function withoutFurther(agent: AgentView): AgentView {
  const calls = (call: AgentView['iterations'][number]['blocks'][number]['calls'][number]): typeof call => ({
    ...call,
    details: false,
  });
  return {
    ...shortenTexts(agent),
    iterations: agent.iterations.map((each) => ({
      ...shortenTexts(each),
      request: null,
      blocks: shortenTexts(each.blocks).map((block) => ({ ...block, calls: block.calls.map(calls) })),
    })),
  };
}

/** A script as it may stand in a page: what would end it, or begin a comment, is written otherwise. */
function inlined(script: string): string {
  return script.replaceAll('</script', String.raw`\x3C/script`).replaceAll('<!--', String.raw`\x3C!--`);
}

async function packed(value: unknown): Promise<string> {
  return (await promisify(gzip)(JSON.stringify(value))).toString('base64');
}

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
