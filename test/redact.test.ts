import { expect, it } from 'vitest';
import { redact } from '../src/redact.ts';
import { parseRepositoryName } from '../src/sandbox/repository/repository-name.ts';

const TOKEN = 'tok+en/with=odd&chars-0123456789';

it.each([
  ['as it is', TOKEN],
  ['in a URL', encodeURIComponent(TOKEN)],
  ['in a URL, twice', encodeURIComponent(encodeURIComponent(TOKEN))],
  ['with every character in percent', [...Buffer.from(TOKEN)].map((byte) => `%${byte.toString(16)}`).join('')],
  ['in JSON', JSON.stringify(TOKEN).replaceAll('/', String.raw`\/`)],
  ['in JSON, escaped', TOKEN.replaceAll(/[^a-z]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)],
  ['in HTML', TOKEN.replaceAll('&', '&#38;').replaceAll('/', '&#x2f;')],
  ['in hexadecimal', Buffer.from(TOKEN).toString('hex')],
  ['in base64', Buffer.from(TOKEN).toString('base64')],
  ['in base64, after a name', Buffer.from(`x-access-token:${TOKEN}`).toString('base64')],
  ['in base64, between other things', Buffer.from(`{"a":"${TOKEN}","b":1}`).toString('base64')],
  ['in base64url', Buffer.from(`ab${TOKEN}`).toString('base64url')],
])('a token is taken out of what another side says: %s', (_, form) => {
  const redacted = redact(`fatal: the server said ${form} and more`, TOKEN);
  expect(redacted).toMatch(/^fatal: the server said .*\[redacted\].* and more$/);
  // Nothing is left of which eight characters in a row are the token's.
  const left = [redacted, decodeURIComponent(redacted.replaceAll(/%(?![0-9a-f]{2})/gi, ''))].join(' ');
  for (let at = 0; at + 8 <= TOKEN.length; at += 1) expect(left).not.toContain(TOKEN.slice(at, at + 8));
});

it('what looks like a credential is taken out, whoever it belongs to', () => {
  expect(redact('see https://user:pa ss@host/a, Basic dXNlcjpwYXNz, ghp_abcdefghijklmnop1234', undefined)).toBe(
    'see https://[redacted]@host/a, [redacted], [redacted]',
  );
});

it.each([
  'https://user:hunter2@ho st/a',
  'https://user:hunter2@host:99999/a',
  'ftp://user:hunter2@host/a',
  'https:/user:hunter2@[::/a',
  'ext::https://user:hunter2@host',
  'https://hunter2@@host/a\u0000',
])('a URL that is not fetched is named without its secret: %s', (name) => {
  expect(() => parseRepositoryName(name)).toThrow(expect.objectContaining({ type: 'Input.Invalid' }));
  expect(() => parseRepositoryName(name)).not.toThrow(/hunter2/);
});
