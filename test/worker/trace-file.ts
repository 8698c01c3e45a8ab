import { readFileSync } from 'node:fs';

/** A span as OTLP's JSON encoding has it. */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code: number; readonly message?: string };
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** Spans of a file of OTLP/JSON lines; each once, as a viewer has them. */
export function readTraceFile(file: string): readonly OtlpSpan[] {
  const requests = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ExportRequest);
  const spans = requests.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
  return [...new Map(spans.map((span) => [span.spanId, span])).values()];
}

/** What is wrong with the spans by the rules of OTLP's JSON encoding; empty: nothing. */
export function encodingProblems(spans: readonly OtlpSpan[]): string[] {
  return spans.flatMap((span) => {
    const problems = [
      ...(/^[0-9a-f]{32}$/.test(span.traceId) ? [] : ['traceId is not 32 hexadecimal digits']),
      ...(/^[0-9a-f]{16}$/.test(span.spanId) ? [] : ['spanId is not 16 hexadecimal digits']),
      ...(span.parentSpanId === undefined || /^[0-9a-f]{16}$/.test(span.parentSpanId) ? [] : ['parentSpanId is wrong']),
      ...(/^\d{19}$/.test(span.startTimeUnixNano) && /^\d{19}$/.test(span.endTimeUnixNano)
        ? []
        : ['times are not nanoseconds since 1970, as strings']),
      ...(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano) ? [] : ['it ends before it starts']),
      ...(Number.isInteger(span.kind) && Number.isInteger(span.status.code) ? [] : ['enumerations are not numbers']),
      ...(span.attributes.every(({ value }) => Object.keys(value).length === 1) ? [] : ['a value has not one kind']),
    ];
    return problems.map((problem) => `${span.name}: ${problem}`);
  });
}

export function attributeOf(span: OtlpSpan | undefined, key: string): unknown {
  const value = span?.attributes.find((attribute) => attribute.key === key)?.value;
  return value === undefined ? undefined : Object.values(value)[0];
}

/** Names of the spans above, nearest first. */
export function above(spans: readonly OtlpSpan[], span: OtlpSpan): OtlpSpan[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent === undefined ? [] : [parent, ...above(spans, parent)];
}

/** Where agents do not lie as the run had them, below iteration and call of their parent; empty: nowhere. */
export function nestingProblems(spans: readonly OtlpSpan[], run: string, agents: readonly string[]): string[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined).map(({ name }) => name);
  const orphans = spans.filter(({ parentSpanId }) => parentSpanId !== undefined && !known.has(parentSpanId));
  const named = spans.filter(({ name }) => name.startsWith('agent ')).map(({ name }) => name.slice('agent '.length));
  const wrong = agents.flatMap((agent) => {
    const span = spans.find(({ name }) => name === `agent ${agent}`);
    if (span === undefined) return [`agent ${agent} has no span`];
    const names = above(spans, span).map(({ name }) => name);
    const parent = agent.slice(0, agent.lastIndexOf('.'));
    const right =
      agent === '0'
        ? names.join() === `run ${run}`
        : /^rlm_query(_batched)?$/.test(names[0] ?? '') &&
          /^iteration \d+$/.test(names[1] ?? '') &&
          names[2] === `agent ${parent}`;
    return right ? [] : [`agent ${agent} lies below ${names.join(' < ')}`];
  });
  return [
    ...(new Set(spans.map(({ traceId }) => traceId)).size === 1 ? [] : ['there is not one trace']),
    ...(roots.join() === `run ${run}` ? [] : [`at the top: ${roots.join(', ')}`]),
    ...orphans.map(({ name }) => `nothing is above ${name}`),
    ...(named.toSorted().join() === agents.toSorted().join() ? [] : [`agents: ${named.toSorted().join()}`]),
    ...wrong,
  ];
}
