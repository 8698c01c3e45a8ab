/** Where the environment asks traces to be sent to, by OpenTelemetry's own variables; undefined: nowhere. */
export function tracesEndpoint(env: NodeJS.ProcessEnv): string | undefined {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return undefined;
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return endpoint === undefined || endpoint.trim() === '' ? undefined : endpoint;
}
