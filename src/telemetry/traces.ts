import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import {
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Attributes,
  type HrTime,
  type SpanContext,
} from '@opentelemetry/api';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { TraceSpan } from '../domain/trace.ts';
import { createOtlpFileExporter } from './otlp-file.ts';
import { tracesEndpoint } from './traces-endpoint.ts';

/** Takes the spans of runs and sends them on. */
export interface Traces {
  record(span: TraceSpan): void;
  /** Sends what is left, and ends. */
  close(): Promise<void>;
}

export interface TracesOptions {
  /** OTLP/JSON, a line for each export; what it holds is kept. */
  readonly file?: string | undefined;
  /** `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, ... */
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  /** Called once when spans cannot be sent. */
  readonly onError: (message: string) => void;
}

/** Undefined where neither a file nor an endpoint is named: then nothing is traced, at no cost. */
export async function createTraces(options: TracesOptions): Promise<Traces | undefined> {
  const exporters = await exportersOf(options);
  if (exporters.length === 0) return undefined;
  const processors: readonly SpanProcessor[] = exporters.map(
    (exporter) =>
      new BatchSpanProcessor({ exporter: complaining(exporter, options.onError), scheduledDelayMillis: 1000 }),
  );
  const resource = resourceFromAttributes({
    'service.name': 'durable-rlm',
    'service.version': options.version,
    'service.instance.id': `${process.pid}@${hostname()}`,
    'host.name': hostname(),
  }).merge(detectResources({ detectors: [envDetector] }));
  const scope = { name: 'durable-rlm', version: options.version };
  return {
    record(span) {
      const readable = readableSpan(span, resource, scope);
      for (const processor of processors) processor.onEnd(readable);
    },
    async close() {
      // The failure has been reported.
      await Promise.allSettled(processors.map((processor) => processor.shutdown()));
    },
  };
}

async function exportersOf({ file, env }: TracesOptions): Promise<SpanExporter[]> {
  const exporters: SpanExporter[] = file === undefined ? [] : [createOtlpFileExporter(file)];
  if (tracesEndpoint(env) !== undefined) {
    // The exporter knows its many variables by itself, but only those of the process: not what a .env file adds.
    for (const [name, value] of Object.entries(env)) if (name.startsWith('OTEL_')) process.env[name] ??= value;
    // Loaded only when needed: loading is slow.
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
    exporters.push(new OTLPTraceExporter());
  }
  return exporters;
}

/** The same exporter; reports the first failure, then nothing until an export succeeds again. */
function complaining(exporter: SpanExporter, onError: (message: string) => void): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error !== undefined && !failing)
          onError(`spans could not be sent: ${result.error.message}; their runs go on, their traces have gaps`);
        failing = result.error !== undefined;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush === undefined ? {} : { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
  };
}

function readableSpan(
  span: TraceSpan,
  resource: ReadableSpan['resource'],
  instrumentationScope: ReadableSpan['instrumentationScope'],
): ReadableSpan {
  const { run, execution, path, parent, name, start, end, attributes, error } = span;
  const traceId = traceIdOf(run, execution);
  const context = contextOf(traceId, path);
  const last = Math.max(start, end);
  return {
    name,
    kind: SpanKind.INTERNAL,
    spanContext: () => context,
    ...(parent === null ? {} : { parentSpanContext: contextOf(traceId, parent) }),
    startTime: timeOf(start),
    endTime: timeOf(last),
    duration: timeOf(last - start),
    status: error === undefined ? { code: SpanStatusCode.OK } : { code: SpanStatusCode.ERROR, message: error },
    attributes: { 'rlm.run': run, ...attributes } satisfies Attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Id of a run's trace, in hexadecimal: the same in every process. */
export function traceIdOf(run: string, execution: string): string {
  return createHash('sha256').update(`${run}@${execution}`).digest('hex').slice(0, 32);
}

export function spanIdOf(traceId: string, path: string): string {
  return createHash('sha256').update(`${traceId}/${path}`).digest('hex').slice(0, 16);
}

function contextOf(traceId: string, path: string): SpanContext {
  return { traceId, spanId: spanIdOf(traceId, path), traceFlags: TraceFlags.SAMPLED };
}

/** Seconds and nanoseconds of milliseconds. */
function timeOf(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1000);
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)];
}
