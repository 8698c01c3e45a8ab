import { isRecord } from '../domain/is-record.ts';

/** What an error body says, out of the many forms there are. */
export interface ErrorDetail {
  /** The provider's own words: its message, the reasons it gives and, behind a router, the words of the one behind. */
  readonly message: string;
  /** Machine-readable names of the error: codes, types and statuses. */
  readonly codes: readonly string[];
}

const NOTHING: ErrorDetail = { message: '', codes: [] };
const MAX_DEPTH = 4;

/** Reads OpenAI's form, a bare string, Google's list, vLLM's flat object, FastAPI's `detail`, and JSON within text. */
export function readErrorBody(body: unknown, depth = 0): ErrorDetail {
  if (depth > MAX_DEPTH) return NOTHING;
  if (typeof body === 'string') return readText(body, depth);
  if (Array.isArray(body)) return readErrorBody(body[0], depth + 1);
  if (!isRecord(body)) return NOTHING;
  const own = readFields(body);
  const inner = body['error'];
  // xAI puts a code beside an error that is a text.
  if (isRecord(inner) || typeof inner === 'string' || Array.isArray(inner))
    return join(readErrorBody(inner, depth + 1), own);
  return own;
}

function readText(text: string, depth: number): ErrorDetail {
  if (/^\s*<(!doctype|html|head|body|\?xml)/i.test(text)) return { message: 'a web page instead of JSON', codes: [] };
  if (/^\s*[{[]/.test(text)) {
    try {
      const inner = readErrorBody(JSON.parse(text) as unknown, depth + 1);
      if (inner.message !== '') return inner;
    } catch {
      // It is a text after all.
    }
  }
  return { message: text, codes: [] };
}

function readFields(body: Record<string, unknown>): ErrorDetail {
  const { metadata, innererror, details } = body;
  const words = body['message'] ?? body['detail'] ?? body['title'];
  const text = typeof words === 'string' ? readText(words, MAX_DEPTH - 1).message : wordsIn(words);
  const named = [body, metadata, innererror, ...(Array.isArray(details) ? details : [])].filter(isRecord);
  return {
    message: [text, ...upstream(metadata)].filter((part) => part !== '').join(': '),
    codes: [...new Set(named.flatMap(codesOf))],
  };
}

/** A message that is not a text: FastAPI has a list of what is wrong. */
function wordsIn(words: unknown): string {
  if (words === undefined || words === null) return '';
  return readErrorBody(words, MAX_DEPTH - 1).message || JSON.stringify(words);
}

/** OpenRouter's own message is often only "Provider returned error"; what happened stands in the metadata. */
function upstream(metadata: unknown): readonly string[] {
  if (!isRecord(metadata)) return [];
  const { raw, reasons } = metadata;
  return [
    typeof raw === 'string' ? readText(raw, 0).message : '',
    Array.isArray(reasons) && reasons.length > 0 ? `reasons: ${reasons.map(String).join(', ')}` : '',
  ];
}

function codesOf(body: Record<string, unknown>): string[] {
  const { violations } = body;
  const own = [body['code'], body['type'], body['status'], body['error_type'], body['reason'], body['limit_source']];
  const quotas = Array.isArray(violations) ? violations.filter(isRecord).map(({ quotaId }) => quotaId) : [];
  return [...own, body['quotaId'], ...quotas].filter(
    (value): value is string => typeof value === 'string' && value !== '',
  );
}

/** Fireworks puts a message beside an error that only names the status: both are told, unless one repeats the other. */
function join(inner: ErrorDetail, outer: ErrorDetail): ErrorDetail {
  return {
    message: joinTexts(inner.message, outer.message),
    codes: [...new Set([...inner.codes, ...outer.codes])],
  };
}

function joinTexts(inner: string, outer: string): string {
  if (outer.includes(inner)) return outer;
  return inner.includes(outer) ? inner : `${inner}: ${outer}`;
}
