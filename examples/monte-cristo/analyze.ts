/**
 * A typed analysis from a program: who is how rich in The Count of Monte Cristo, chapter by chapter.
 *
 *     export OPENROUTER_API_KEY=...
 *     node examples/monte-cristo/analyze.ts [book.txt] [id] > wealth.json
 *
 * Server and worker run in this process. Kill it at any moment: with the same id it continues where it was.
 */
import { readFile } from 'node:fs/promises';
import { analyze, type ConfigInput } from 'durable-rlm';
import { parse } from 'yaml';

const PROJECT_GUTENBERG = 'https://www.gutenberg.org/cache/epub/1184/pg1184.txt';

const TASK = `Follow how rich or poor the main characters are through the whole novel. Wherever a chapter says or
implies it of one of them, make a dict with the keys chapter (int, the first is 1), character (str), wealth (int, from 1
for destitute to 10 for the richest in Paris) and event (str, in a few words what shows it). The characters, named
exactly so: Dantès, Danglars, Fernand/Morcerf, Villefort, Mercédès. Leave out no chapter of the book.`;

const [book, id = 'monte-cristo'] = process.argv.slice(2);
const chapters = chaptersOf(book === undefined ? await fetchText(PROJECT_GUTENBERG) : await readFile(book, 'utf8'));
console.error(`${chapters.length} chapters; this run is ${id}.`);

const config: ConfigInput = parse(await readFile(process.env['RLM_CONFIG'] ?? 'examples/config.yaml', 'utf8'));
const { answer, usage } = await analyze({
  id,
  // The types of `inputs` and of `answer` follow from this text, at compile time.
  signature:
    'chapters: list[str], task: str -> wealth_data: list[{chapter: int, character: str, wealth: int, event: str}]',
  inputs: { chapters, task: TASK },
  config: { ...config, rlm: { ...config.rlm, max_iterations: 40, max_llm_calls: 500 } },
  log: console.error,
});

const byCharacter = Map.groupBy(answer.wealth_data, ({ character }) => character);
for (const [character, rows] of byCharacter) {
  const wealth = rows.map((row) => row.wealth);
  console.error(
    `${character}: ${rows.length} rows, from ${wealth[0]} to ${wealth.at(-1)}, at most ${Math.max(...wealth)}`,
  );
}
console.error(`${usage.llm_calls} model calls`);
console.log(JSON.stringify(answer.wealth_data, null, 2));

/** Its headings are indented, unlike the same lines in the table of contents. */
function chaptersOf(text: string): string[] {
  const [, body = text] = text.replaceAll('\r\n', '\n').split(/^\*\*\* START OF .*$/m);
  const [novel = ''] = body.split(/^(?:FOOTNOTES:|\*\*\* END OF .*)$/m);
  return novel.split(/^(?= Chapter \d+\. )/m).slice(1);
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}: name a file with the book instead`);
  return response.text();
}
