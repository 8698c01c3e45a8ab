const REDACTED = '[redacted]';

/** Tokens that look like keys or bearer credentials of any owner. */
const LIKELY_SECRETS =
  /\bBearer\s+[\w.~+/=-]{6,}|\b(?:sk|gsk|xai|csk|pplx|nvapi|fw|tgp)[-_][\w-]{12,}|\bAIza[\w-]{20,}/g;

/** The text without the key, however the other side quoted it, and without anything else that looks like one. */
export function redact(text: string, apiKey: string | undefined): string {
  return formsOf(apiKey)
    .reduce((rest, form) => rest.replaceAll(form, REDACTED), text)
    .replaceAll(LIKELY_SECRETS, REDACTED);
}

function formsOf(apiKey: string | undefined): readonly string[] {
  // Shorter ones are placeholders like "none", and would be found in any sentence.
  if (apiKey === undefined || apiKey.length < 6) return [];
  const encoded = encodeURIComponent(apiKey);
  const quoted = JSON.stringify(apiKey).slice(1, -1);
  const base64 = Buffer.from(apiKey).toString('base64').replace(/=+$/, '');
  return [apiKey, encoded, quoted, base64];
}
