import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parsePlot } from '../chart/plot-spec.ts';
import { renderChart } from '../chart/render-chart.ts';
import { rowsOf } from '../chart/rows-of.ts';
import { errorMessage } from '../domain/error-message.ts';
import { isRecord } from '../domain/is-record.ts';
import { TypedError } from '../domain/failures.ts';
import { stringifyJson } from '../domain/ordered-json.ts';
import type { AgentView } from './model.ts';
import { readProvenance } from './provenance.ts';
import { toCsv } from './csv.ts';
import { checkOrder } from './orders.ts';
import type { RunSource } from './run-source.ts';
import { searchRuns } from './search.ts';
import { head, PIECE_CHARACTERS, shortenTexts, textAt } from './text.ts';
import type { RunWatch } from './watch-runs.ts';

export interface Routes {
  readonly source: RunSource;
  readonly watch: RunWatch;
}

/** Iterations of an agent, and items of a call, that travel at a time. */
const PAGE = 50;
const MAX_RUNS = 1000;
/** Bytes of what the page sends. */
const MAX_BODY = 100_000;

/** Answers what stands below `/api`. Names of runs and agents are looked up, never made a path. */
export async function answerApi(
  { source, watch }: Routes,
  { url, request, response }: { url: URL; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const [, , ...encoded] = url.pathname.split('/');
  const parts = encoded.map(decode);
  const query = url.searchParams;
  const number = (name: string, otherwise: number, most: number): number => {
    const value = Number(query.get(name) ?? otherwise);
    return Number.isSafeInteger(value) && value >= 0 ? Math.min(value, most) : otherwise;
  };
  const [what, run = '', ...rest] = parts;
  const send = (value: unknown): void => sendJson(response, 200, value);
  if (request.method === 'POST') {
    if (what !== 'runs' || rest[0] !== 'control') return notFound(response);
    // A form of another page cannot send this type without being asked about first.
    if (request.headers['content-type'] !== 'application/json' || request.headers.origin === undefined)
      return sendJson(response, 403, { error: 'The request comes from another page.' });
    return send(await source.control(run, checkOrder(await readBody(request))));
  }
  if (what === 'runs' && run === '') return send(await source.list(number('limit', MAX_RUNS, MAX_RUNS)));
  if (what === 'search') {
    const text = query.get('text') ?? '';
    if (text.trim() === '') throw new TypedError('Input.Invalid', 'There is nothing to look for.');
    const named = query.get('run');
    const runs = named === null ? (await source.list(MAX_RUNS)).runs.map((each) => each.run) : [named];
    return send(await searchRuns(source, { runs, text, from: query.get('from') }));
  }
  if (what !== 'runs') return notFound(response);
  const [part, agent = '', kind, item] = rest;
  const unknown = `There is no run "${run}" here.`;
  if (part === undefined)
    return sendFound(await source.view(run), (view) => ({ ...view, prompt: shortenTexts(view.prompt) }), unknown);
  if (part === 'standing') return sendFound(await source.standing(run), (value) => value, unknown);
  if (part === 'questions')
    return sendFound(
      await source.question(run, agent),
      (value) => value,
      'This is not asked any more: it was answered, or its agent does not need it.',
    );
  if (part === 'events') return watch.attach(run, request, response);
  if (part === 'provenance') return sendFound(await readProvenance(source, run), (value) => shortenTexts(value));
  if (part === 'statistics') return sendFound(await watch.statistics(run), (value) => value);
  if (part === 'patch') {
    const patch = await source.patch(run);
    if (patch === undefined) return notFound(response, 'This run has no patch.');
    return sendFile(response, {
      bytes: patch,
      type: 'text/plain',
      name: query.has('download') ? `${run}.patch` : undefined,
    });
  }
  if (part === 'answer') return sendAnswer(await source.answer(run));
  if (part === 'document')
    return sendFile(response, {
      bytes: Buffer.from(`${stringifyJson(await source.document(run), 2)}\n`),
      type: 'application/json',
      name: `${run}.detail.json`,
    });
  if (part === 'chart') {
    const { svg, notes } = await chartOf(await source.answer(run), query.get('plot') ?? '');
    response.setHeader('x-notes', encodeURIComponent(notes.join(' ')));
    return sendFile(response, { bytes: Buffer.from(svg), type: 'image/svg+xml' });
  }
  if (part === 'blobs') {
    if (!/^[\w-]{43}$/.test(agent)) return notFound(response);
    const stream = await source.blob(agent);
    response.writeHead(200, headers('text/plain; charset=utf-8', `output-${agent.slice(0, 8)}.txt`));
    if (request.method === 'HEAD') {
      stream.destroy();
      response.end();
      return;
    }
    return pipeline(stream, response);
  }
  if (part !== 'agents') return notFound(response);
  if (kind === undefined)
    return sendFound(await source.agent(run, agent), (view) =>
      pageOf(view, number('first', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    );
  if (kind === 'text') {
    const from = number('from', 0, Number.MAX_SAFE_INTEGER);
    const text = await findText(source, { run, agent, at: query.get('at') ?? '' });
    return sendFound(text, (whole) => ({ text: head(whole.slice(from), PIECE_CHARACTERS), length: whole.length }));
  }
  if (kind === 'calls') {
    const at = { agent, call: item ?? '', first: number('first', 0, 1_000_000), limit: PAGE };
    return sendFound(await source.call(run, at), (details) => shortenTexts(details, `call/${at.call}/${at.first}/`));
  }
  if (kind === 'requests')
    return sendFound(await source.request(run, { agent, index: Number(item) }), (view) =>
      shortenTexts(view, `request/${item}/`),
    );
  return notFound(response);

  function sendFound<T>(value: T | undefined, map: (value: T) => unknown, why?: string): void {
    if (value === undefined) notFound(response, why);
    else send(map(value));
  }

  function sendAnswer(answer: unknown): void {
    if (answer === undefined) return notFound(response, 'This run has no answer.');
    const field = query.get('csv');
    if (field === null) {
      const isText = typeof answer === 'string';
      const bytes = Buffer.from(isText ? answer : `${stringifyJson(answer, 2)}\n`);
      return sendFile(response, {
        bytes,
        type: isText ? 'text/plain' : 'application/json',
        name: `${run}.${isText ? 'txt' : 'json'}`,
      });
    }
    const rows = isRecord(answer) ? answer[field] : answer;
    if (!Array.isArray(rows)) return notFound(response, 'There is no such table.');
    return sendFile(response, { bytes: Buffer.from(toCsv(rows)), type: 'text/csv', name: `${run}.csv` });
  }
}

/** A whole text, by where it stands: in the agent, in a call of it, or in one of its requests. */
async function findText(
  source: RunSource,
  { run, agent, at }: { readonly run: string; readonly agent: string; readonly at: string },
): Promise<string | undefined> {
  const [kind = '', name = '', ...rest] = at.split('/');
  if (kind === 'request') return textAt(await source.request(run, { agent, index: Number(name) }), rest.join('/'));
  if (kind !== 'call') return textAt(await source.agent(run, agent), at);
  const [first = '', ...path] = rest;
  return textAt(await source.call(run, { agent, call: name, first: Number(first), limit: PAGE }), path.join('/'));
}

/** The end of an agent's iterations, or those from `first` on. */
export function pageOf(view: AgentView, first: number): AgentView {
  const from = Math.min(first, Math.max(0, view.iterations.length - PAGE));
  const iterations = view.iterations.slice(from, from + PAGE);
  const { iterations: _, ...rest } = view;
  return {
    ...shortenTexts(rest),
    iterations: iterations.map((each) => shortenTexts(each, `iterations.${each.index}`)),
    first: from,
  };
}

async function chartOf(answer: unknown, plot: string): Promise<{ svg: string; notes: readonly string[] }> {
  const spec = parsePlot(plot);
  const fields = Array.isArray(answer) ? { answer } : isRecord(answer) ? answer : {};
  return renderChart(rowsOf(fields, spec).rows, spec);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new TypedError('Input.Invalid', 'The request is too long.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new TypedError('Input.Invalid', 'The request is no JSON.');
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function headers(type: string, download?: string): Record<string, string> {
  return {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    // Whatever it is: opened by itself, it runs nothing.
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    ...(download === undefined
      ? {}
      : { 'content-disposition': `attachment; filename="${download.replaceAll(/[^\w.-]/g, '_')}"` }),
  };
}

function sendFile(
  response: ServerResponse,
  { bytes, type, name }: { bytes: Uint8Array; type: string; name?: string | undefined },
): void {
  response.writeHead(200, headers(`${type}; charset=utf-8`, name));
  response.end(bytes);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, headers('application/json; charset=utf-8'));
  response.end(JSON.stringify(value));
}

function notFound(response: ServerResponse, why = 'There is no such thing here.'): void {
  sendJson(response, 404, { error: why });
}

/** What went wrong, for the page to show. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const type = error instanceof TypedError ? error.type : undefined;
  const status = type === 'Input.Invalid' ? 400 : type === 'Storage.Missing' ? 404 : 500;
  sendJson(response, status, { error: errorMessage(error) });
}
