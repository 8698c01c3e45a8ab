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
