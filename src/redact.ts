const REDACTED = '[redacted]';

/** Tokens that look like keys or bearer credentials of any owner. */
const LIKELY_SECRETS =
  /\b(?:Bearer|Basic)\s+[\w.~+/=-]{6,}|\b(?:sk|gsk|xai|csk|pplx|nvapi|fw|tgp|ghp|gho|ghu|ghs|ghr|github_pat|glpat)[-_][\w-]{12,}|\bAIza[\w-]{20,}/g;
/** What comes before the host of a URL, also of one that cannot be read as such. */
const USER_INFORMATION = /([a-z][a-z0-9+.-]*:\/\/)[^\s/'"]*(?:\s[^\s/'"]*)?@/gi;

/** Shorter ones are placeholders like "none", and would be found in any sentence. */
const MIN_SECRET_CHARACTERS = 6;

/**
 * Text of another side without the secret, in whatever encoding it comes back (as it is, in a URL, JSON, HTML, base64 or
 * hexadecimal, alone or within something longer), and without anything else that looks like a key.
 */
export function redact(text: string, secret: string | undefined): string {
  return redactSecret(text, secret).replaceAll(LIKELY_SECRETS, REDACTED).replaceAll(USER_INFORMATION, `$1${REDACTED}@`);
}

/** The same for this secret only: for text that has a meaning of its own. */
export function redactSecret(text: string, secret: string | undefined): string {
  if (secret === undefined || secret.length < MIN_SECRET_CHARACTERS) return text;
  return encodedForms(secret)
    .reduce((rest, form) => rest.replaceAll(form, REDACTED), text)
    .replaceAll(escapedForms(secret), REDACTED);
}

/** Every character may be escaped, or not, in one of several ways. */
function escapedForms(secret: string): RegExp {
  const characters = Array.from(Buffer.from(secret), (code) => {
    const character = String.fromCharCode(code);
    const hex = code.toString(16).padStart(2, '0');
    const digits = hex.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
    const plain = /^[A-Za-z0-9]$/.test(character) ? character : `\\x${hex}`;
    return `(?:\\\\?${plain}|%(?:25)*${digits}|\\\\u00${digits}|\\\\x${digits}|&#(?:x${digits}|${code});)`;
  });
  return new RegExp(characters.join(''), 'g');
}

/** Hexadecimal, and base64 wherever in a longer text the secret begins: of three characters it can be any. */
function encodedForms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Without the characters at both ends that others have a part in.
    const own = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const long = base64.filter((form) => form.length >= MIN_SECRET_CHARACTERS);
  return [secret, hex, hex.toUpperCase(), ...long];
}
