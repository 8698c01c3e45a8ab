import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The page as it was built, also for who runs from sources: three files, and no other can be asked for. */
export interface PageFiles {
  readonly html: string;
  readonly script: string;
  readonly style: string;
}

export async function readPageFiles(): Promise<PageFiles> {
  const read = (name: string): Promise<string> =>
    readFile(fileURLToPath(new URL(`../../dist/viewer/page/${name}`, import.meta.url)), 'utf8');
  const [html, script, style] = await Promise.all(['index.html', 'page.js', 'page.css'].map(read));
  return { html: html ?? '', script: script ?? '', style: style ?? '' };
}
