import { reprOfText } from './python-repr.ts';

/**
 * What a model's reply says. This file is the only place that reads one: pure, total (no text makes it throw) and of
 * linear time, for it reads whatever a model wrote.
 */
export interface ParsedReply {
  /** What a leading `<think>` or `<thinking>` held, or stood before a lone closing tag; '' where there is none. */
  readonly reasoning: string;
  /** The rest. */
  readonly text: string;
  /** Python to run, in order; each ends with a newline. A FINAL that is written as text is the last one. */
  readonly blocks: readonly string[];
  /** What the text says around its Python, other fences included. */
  readonly prose: string;
  /** It has no code, but calls a tool in one of the notations that models are trained on. */
  readonly isToolCall: boolean;
}

/** The outcome of a reply: its code runs, or the model reads why nothing ran. */
export type ReplyOutcome =
  | { readonly kind: 'code'; readonly blocks: readonly string[] }
  /** Ended by the length limit. */
  | { readonly kind: 'truncated' }
  /** Ended by the provider's content filter. */
  | { readonly kind: 'withheld' }
  | { readonly kind: 'tool_call' }
  /** '' where the reply is empty. */
  | { readonly kind: 'text'; readonly text: string };

/** @param reply as records hold it: without its reasoning */
export function replyOutcome(reply: { readonly text: string; readonly finish_reason: string }): ReplyOutcome {
  if (reply.finish_reason === 'length') return { kind: 'truncated' };
  if (reply.finish_reason === 'content_filter') return { kind: 'withheld' };
  const { blocks, isToolCall } = readText(reply.text);
  if (blocks.length > 0) return { kind: 'code', blocks };
  return isToolCall ? { kind: 'tool_call' } : { kind: 'text', text: reply.text.trim() };
}

export function parseReply(reply: string): ParsedReply {
  const { reasoning, text } = splitReasoning(reply);
  return { reasoning, text, ...readText(text) };
}

/** The Python of a text that has lost its reasoning. */
export function codeBlocks(text: string): readonly string[] {
  return readText(text).blocks;
}

/** What a text that has lost its reasoning says around its Python. */
export function proseOf(text: string): string {
  return readText(text).prose;
}

/** What stands in the fences of a text, whatever their language, in order. */
export function fencedTexts(text: string): string[] {
  return readSegments(text).flatMap((segment) => (segment.kind === 'prose' ? [] : [segment.text]));
}

/** What FINAL is given in a text that has it as text, and no code behind it. */
export function finalText(text: string): string | undefined {
  const call = finalCall(readSegments(text));
  return call?.name === 'FINAL' ? withoutQuotes(call.inner) : undefined;
}

function readText(reply: string): Pick<ParsedReply, 'blocks' | 'prose' | 'isToolCall'> {
  const segments = readSegments(reply.replaceAll('\r\n', '\n').replace(/^\uFEFF+/, ''));
  const code = segments.flatMap(({ kind, text }) => (kind === 'python' && !isBlank(text) ? [`${text}\n`] : []));
  const rest = segments.filter(({ kind }) => kind !== 'python');
  const call = finalCall(segments);
  const final = call === undefined ? [] : [codeOfFinal(call)];
  const prose = rest
    .map(({ text }) => text)
    .join('\n')
    .trim();
  const spoken: Segment = { kind: 'prose', text: prose, from: 0, to: 0 };
  return {
    blocks: [...code, ...final],
    prose,
    isToolCall:
      code.length === 0 &&
      final.length === 0 &&
      [spoken, ...rest.filter(({ kind }) => kind === 'fenced')].some(callsTool),
  };
}

// Reasoning

const OPENING_TAG = /^[\s\u200B]*<think(?:ing)?>/i;
const CLOSING_TAG = /<\/think(?:ing)?>/i;
/** Characters around a tag that are looked at. */
const AROUND = 200;

/**
 * Takes the reasoning off the beginning of a reply: `<think>...</think>`, `<thinking>...</thinking>`, an opening tag that
 * is never closed (then all of it is reasoning), or what stands before a closing tag that was never opened, at the
 * beginning or the end of its line and not in code. Tags elsewhere are content.
 */
export function splitReasoning(reply: string): Pick<ParsedReply, 'reasoning' | 'text'> {
  const parts: string[] = [];
  let rest = reply;
  for (let opening = OPENING_TAG.exec(rest); opening !== null; opening = OPENING_TAG.exec(rest)) {
    const inner = rest.slice(opening[0].length);
    const closing = CLOSING_TAG.exec(inner);
    parts.push(inner.slice(0, closing?.index ?? inner.length).trim());
    rest = closing === null ? '' : inner.slice(closing.index + closing[0].length);
  }
  const lone = parts.length > 0 ? undefined : loneClosingTag(rest);
  if (lone !== undefined) {
    parts.push(rest.slice(0, lone.from).trim());
    rest = rest.slice(lone.to);
  }
  if (parts.length === 0) return { reasoning: '', text: reply };
  return { reasoning: parts.filter((part) => part !== '').join('\n\n'), text: rest.trim() };
}

function loneClosingTag(text: string): { readonly from: number; readonly to: number } | undefined {
  if (!CLOSING_TAG.test(text)) return undefined;
  const fenced = readSegments(text).filter(({ kind }) => kind !== 'prose');
  let next = 0;
  for (const found of text.matchAll(/<\/think(?:ing)?>/gi)) {
    const [from, to] = [found.index, found.index + found[0].length];
    while ((fenced[next]?.to ?? Infinity) <= from) next += 1;
    const around = fenced[next];
    const before =
      text
        .slice(Math.max(0, from - AROUND), from)
        .split('\n')
        .at(-1) ?? '';
    const isAtEnd = isBlank(text.slice(to, to + AROUND).split('\n')[0] ?? '');
    const isAtStart = isBlank(before);
    if (around === undefined || around.from > from) {
      if ((isAtStart || isAtEnd) && !/["'`]\s*$/.test(before)) return { from, to };
    } else if (around.kind === 'python' && isAtStart && isAtEnd && !isInString(text.slice(around.from, from))) {
      // Reasoning that was thinking aloud in code when it ended.
      return { from, to };
    } else if (around.kind === 'python') next += 1;
  }
  return undefined;
}

function isInString(code: string): boolean {
  return ['"""', "'''"].some((quotes) => code.split(quotes).length % 2 === 0);
}

// Fences

const RUNNABLE = new Set(['python', 'py', 'python3', 'py3', 'ipython', 'ipython3', 'repl', 'tool_code']);
/** Others that a fence is known by where it follows one that was left open. */
const OTHER_LANGUAGES = new Set(['bash', 'sh', 'shell', 'console', 'json', 'yaml', 'text', 'markdown', 'diff', 'sql']);
/** What other tools' training puts behind code. */
const MARKERS = /(?:<(?:end_code|end_action|end_of_turn|eos|\/s|\/code|\/tool_code|\|[\w▁]{1,40}\|)>[ \t]*)+$/;
const LIST_ITEM = /^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+$/;

/** A piece of a reply and its place. Of a text in a fence without Python, `language` is '' where none is named. */
interface Segment {
  readonly kind: 'prose' | 'python' | 'fenced';
  readonly text: string;
  readonly language?: string;
  readonly from: number;
  readonly to: number;
}

interface Fence {
  readonly mark: string;
  readonly size: number;
  readonly language: string;
  /** What stands before it on its line. */
  readonly lead: string;
  /** Code on the same line, where it is closed there. */
  readonly inline?: string;
}

/** Where the content of a fence ends, and where the text continues behind it. */
interface End {
  readonly to: number;
  readonly next: number;
}

function readSegments(text: string): Segment[] {
  const segments: Segment[] = [];
  const endOfPython = pythonEnds(text);
  for (let at = 0; at < text.length;) {
    const end = lineEnd(text, at);
    const fence = openingFence(text.slice(at, end));
    if (fence === undefined) {
      // Up to the next line that may open one.
      const mark = nextMark(text, end);
      const to = mark === -1 ? text.length : text.lastIndexOf('\n', mark);
      segments.push({ kind: 'prose', text: text.slice(at, to), from: at, to });
      at = to + 1;
      continue;
    }
    const { lead, language, inline } = fence;
    const isPython = RUNNABLE.has(language);
    if (!isLineStart(lead)) segments.push({ kind: 'prose', text: lead, from: at, to: at + lead.length });
    const { to, next } =
      inline !== undefined ? { to: end, next: end + 1 } : (isPython ? endOfPython : endOfText(text))(end + 1, fence);
    const place = { from: at + lead.length, to: next };
    if (isPython) segments.push({ kind: 'python', text: inline ?? cleanCode(text.slice(end + 1, to), lead), ...place });
    else segments.push({ kind: 'fenced', text: text.slice(end + 1, to).trimEnd(), language, ...place });
    at = next;
  }
  return segments;
}

/** Behind prose a fence must name Python and end the line. */
function openingFence(line: string): Fence | undefined {
  const lead = /^[\s\u200B\uFEFF]*/.exec(line)?.[0] ?? '';
  const isTildes = line.startsWith('~~~', lead.length);
  const at = isTildes ? lead.length : line.indexOf('```');
  if (at === -1) return undefined;
  const size = runLength(line, at);
  const info = line.slice(at + size);
  const [named = '', word = ''] = /^[ \t]*\{?\.?([\w+#-]*)[^\s`]{0,20}/.exec(info) ?? [];
  const rest = info.slice(named.length);
  const fence = { mark: line[at] ?? '', size, language: word.toLowerCase(), lead: line.slice(0, at) };
  const isPython = RUNNABLE.has(fence.language);
  if (!isLineStart(fence.lead)) return isPython && isBlank(rest) ? fence : undefined;
  if (isTildes || !info.includes('`')) return fence;
  const code = withoutMarkers(rest);
  const isClosed = isPython && /^[ \t]/.test(rest) && trailingTicks(code) === size;
  return isClosed ? { ...fence, inline: code.slice(0, -size).trim() } : undefined;
}

function isLineStart(lead: string): boolean {
  return isBlank(lead) || LIST_ITEM.test(lead.slice(0, AROUND));
}

/** A fence ends at a line with nothing but its mark. */
function endOfText(text: string): (from: number, fence: Pick<Fence, 'mark' | 'size'>) => End {
  return (from, { mark, size }) => {
    for (let at = from; at < text.length;) {
      const end = lineEnd(text, at);
      const line = withoutMarkers(text.slice(at, end).trimStart());
      if (line.length >= size && line[0] === mark && runLength(line, 0) === line.length)
        return { to: at, next: end + 1 };
      at = end + 1;
    }
    return { to: text.length, next: text.length };
  };
}

/**
 * A fence around Python ends where its mark stands outside of a string; where a string is never closed, at the first
 * line with nothing but the mark. That triple quotes are never closed behind one place holds for every later place: each
 * kind is searched to the end of the text once.
 */
function pythonEnds(text: string): (from: number, fence: Fence) => End {
  const tokens = /'''|"""|['"#\\\n]|`{3,}|~{3,}/g;
  const neverClosed = new Set<string>();
  return (from, fence) => {
    let quote = '';
    tokens.lastIndex = from;
    for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
      const [mark] = token;
      if (mark === '\\') tokens.lastIndex += 1;
      else if (quote !== '') {
        // One in single quotes ends with its line, whatever Python makes of it.
        const closes = quote.length === 1 ? mark[0] === quote || mark === '\n' : mark === quote;
        if (closes) quote = '';
      } else if (mark === '#') {
        const comment = withoutMarkers(text.slice(token.index, lineEnd(text, token.index)));
        tokens.lastIndex = token.index + comment.length;
        if (fence.mark === '`' && trailingTicks(comment) >= fence.size) tokens.lastIndex -= trailingTicks(comment);
      } else if (mark.startsWith('`') || mark.startsWith('~')) {
        if (endsCode(text, token.index, mark, fence)) return behindFence(text, token.index, fence);
      } else if (mark !== '\n') {
        if (neverClosed.has(mark)) return endOfText(text)(from, fence);
        quote = mark;
      }
    }
    if (quote.length < 3) return { to: text.length, next: text.length };
    neverClosed.add(quote);
    return endOfText(text)(from, fence);
  };
}

/** Backticks are no Python; tildes are, unless they have a line of their own. */
function endsCode(text: string, at: number, mark: string, fence: Fence): boolean {
  if (mark[0] !== fence.mark || mark.length < fence.size) return false;
  return (
    fence.mark === '`' ||
    (startsLine(text, at) && isBlank(withoutMarkers(text.slice(at + mark.length, lineEnd(text, at)))))
  );
}

/** A marker is skipped, prose is prose, and a fence that names a language opens the next block. */
function behindFence(text: string, at: number, { mark }: Fence): End {
  const end = lineEnd(text, at);
  const behind = at + runLength(text, at);
  const rest = withoutMarkers(text.slice(behind, end));
  if (isBlank(rest)) return { to: at, next: end + 1 };
  const [, word = ''] = /^[ \t]*\{?\.?(\w+)\}?[ \t]*$/.exec(rest.slice(0, AROUND)) ?? [];
  const names = RUNNABLE.has(word.toLowerCase()) || OTHER_LANGUAGES.has(word.toLowerCase());
  const opens = mark === '`' && names && startsLine(text, at);
  return { to: at, next: opens ? at : behind };
}

/** Without the indentation of its fence and what all its lines have beyond it, and without markers at its end. */
function cleanCode(code: string, lead: string): string {
  const lines = withoutMarkers(code.trimEnd()).split('\n');
  const first = lines.find((line) => !isBlank(line)) ?? '';
  const width = isLineStart(lead) ? Math.min(lead.length, indentation(first)) : 0;
  const outer = lines.map((line) => line.slice(Math.min(width, indentation(line))));
  const least = outer.reduce((found, line) => (isBlank(line) ? found : Math.min(found, indentation(line))), Infinity);
  return outer.map((line) => line.slice(Math.min(least, indentation(line)))).join('\n');
}

function withoutMarkers(line: string): string {
  const tail = Math.max(0, line.length - AROUND);
  return line.slice(0, tail) + line.slice(tail).trimEnd().replace(MARKERS, '').trimEnd();
}

function nextMark(text: string, from: number): number {
  const marks = /```|~~~/g;
  marks.lastIndex = from;
  return marks.exec(text)?.index ?? -1;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

function startsLine(text: string, at: number): boolean {
  return isBlank(
    text
      .slice(Math.max(0, at - AROUND), at)
      .split('\n')
      .at(-1) ?? '',
  );
}

function runLength(text: string, from: number): number {
  let to = from;
  while (to < text.length && text[to] === text[from]) to += 1;
  return to - from;
}

function trailingTicks(text: string): number {
  let from = text.length;
  while (text[from - 1] === '`') from -= 1;
  return text.length - from;
}

function indentation(line: string): number {
  return line.length - line.trimStart().length;
}

function isBlank(text: string): boolean {
  return /^[\s\u200B\uFEFF]*$/.test(text);
}

// FINAL as text

const FINAL_CALL = /^[\s>*_`]*(FINAL|FINAL_VAR|SUBMIT)\(/;
/** Words, and nothing that only code has. */
const WORDS = /^[\p{L}\d'’,.!? -]+$/u;
const DECORATION = /[\s*_`.;]*$/;

interface FinalCall {
  readonly name: string;
  /** What stands between its parentheses. */
  readonly inner: string;
}

/**
 * A line that is FINAL(...) or FINAL_VAR(...), behind all code, ends the work as models trained on recursive language
 * models write it; also SUBMIT(...).
 */
function finalCall(segments: readonly Segment[]): FinalCall | undefined {
  const behind = segments.slice(segments.findLastIndex(({ kind }) => kind === 'python') + 1);
  const lines = behind.flatMap(({ kind, language, text }) => {
    const mayCall = kind === 'prose' ? /FINAL|SUBMIT/.test(text) : language === '' && FINAL_CALL.test(text);
    return mayCall ? text.split('\n') : [];
  });
  for (let at = 0; at < lines.length; at += 1) {
    const [, name = ''] = FINAL_CALL.exec(lines[at] ?? '') ?? [];
    if (name === '') continue;
    const last = lastLineOfCall(lines, at);
    if (last === undefined) return undefined;
    const call = lines.slice(at, last + 1).join('\n');
    const inner = call.slice(call.indexOf('(') + 1, call.lastIndexOf(')')).trim();
    // Not where it is only spoken of.
    if (!['', '...', '…'].includes(inner)) return { name, inner };
    at = last;
  }
  return undefined;
}

/** Where the parentheses are closed at the end of a line; else the first line that ends with one. */
function lastLineOfCall(lines: readonly string[], from: number): number | undefined {
  let open = 0;
  let first: number | undefined;
  for (let at = from; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    for (const character of line) open += character === '(' ? 1 : character === ')' ? -1 : 0;
    const isEnd = withoutDecoration(line).endsWith(')');
    if (isEnd && open <= 0) return at;
    if (isEnd) first ??= at;
  }
  return first;
}

function withoutDecoration(line: string): string {
  const tail = Math.max(0, line.length - AROUND);
  return line.slice(0, tail) + line.slice(tail).replace(DECORATION, '');
}

/** It is run as Python where it is that; else what stands in FINAL's parentheses is the answer. */
function codeOfFinal({ name, inner }: FinalCall): string {
  const [, variable] = /^(["']?)([A-Za-z_]\w{0,200})\1$/.exec(inner)?.slice(1) ?? [];
  if (name === 'FINAL_VAR' && variable !== undefined) return `FINAL_VAR('${variable}')\n`;
  if (name === 'SUBMIT') return `SUBMIT(${inner})\n`;
  // `That is right` is Python too.
  const notPython = WORDS.test(inner) && inner.includes(' ') ? '(SyntaxError, NameError)' : 'SyntaxError';
  return `# Written as text: what is not Python is the answer as it stands.
try:
    exec(${reprOfText(`FINAL(${inner})`)})
except ${notPython}:
    FINAL(${reprOfText(withoutQuotes(inner))})
`;
}

function withoutQuotes(text: string): string {
  return /^(["'])([^]*)\1$/.exec(text)?.[2] ?? text;
}

// Tool calls

const TOOL_TAG =
  /^[ \t]*(?:<\|?(?:tool_calls?|function_calls?|invoke|tool_use)\b|<function=|\[TOOL_CALLS?\]|<\|tool▁calls?)/m;
const TOOL_LANGUAGES = new Set(['tool_call', 'function_call', 'tool_use']);

function callsTool({ text, language = '' }: Pick<Segment, 'text' | 'language'>): boolean {
  return TOOL_LANGUAGES.has(language) || TOOL_TAG.test(text) || isCallObject(parsedJson(text));
}

function isCallObject(value: unknown): boolean {
  const call: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof call !== 'object' || call === null) return false;
  const has = (name: string, ...kinds: string[]): boolean => kinds.includes(typeof Reflect.get(call, name));
  const isNamed =
    has('name', 'string') || has('tool', 'string') || has('tool_name', 'string') || has('action', 'string');
  const isGiven = ['arguments', 'parameters', 'input', 'args', 'tool_input', 'action_input'].some((name) =>
    has(name, 'object', 'string'),
  );
  return (isNamed && isGiven) || has('tool_calls', 'object') || has('function_call', 'object');
}

function parsedJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
