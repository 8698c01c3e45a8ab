import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { renderReference } from '../../src/config/reference.ts';
import { renderProviders } from '../../src/llm/reference.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/configuration.md', import.meta.url));

/** The document with one of its generated parts written anew. */
function withPart(document: string, name: string, text: string): string {
  const part = new RegExp(`(<!-- ${name}: .*? -->\n)[^]*?(<!-- end of ${name} -->)`);
  expect(document).toMatch(part);
  return document.replace(part, (_, begin: string, end: string) => `${begin}\n${text}\n${end}`);
}

it('docs/configuration.md lists every setting and provider as the code has them', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const settings = withPart(document, 'settings', renderReference());
  await expect(withPart(settings, 'providers', renderProviders())).toMatchFileSnapshot(DOCUMENT);
});
