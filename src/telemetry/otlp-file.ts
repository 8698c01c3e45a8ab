import { appendFile } from 'node:fs/promises';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** `ExportResultCode` of `@opentelemetry/core`. */
const SUCCESS = 0;
const FAILED = 1;

/**
 * Adds to a file one line of OTLP/JSON for each export: what the collector's `otlpjsonfile` receiver and its `file`
 * exporter read and write. Many workers may write to one file: a line is added in one piece.
 */
export function createOtlpFileExporter(file: string): SpanExporter {
  let writing: Promise<unknown> = Promise.resolve();
  async function write(line: Uint8Array): Promise<ExportResult> {
    try {
      await appendFile(file, line, { mode: 0o600 });
      return { code: SUCCESS };
    } catch (error) {
      return { code: FAILED, error: error as Error };
    }
  }
  return {
    export(spans, report) {
      const line = Buffer.concat([JsonTraceSerializer.serializeRequest(spans) ?? new Uint8Array(), Buffer.from('\n')]);
      writing = writing.then(() => write(line)).then(report);
    },
    async shutdown() {
      await writing;
    },
  };
}
