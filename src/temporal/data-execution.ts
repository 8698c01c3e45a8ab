interface Described {
  readonly runId: string;
  readonly memo?: Readonly<Record<string, unknown>> | undefined;
  /** Of a description, or of an entry of a list. */
  readonly raw: object;
}

/**
 * Id under which a run's data is kept: that of its first execution, which a reset keeps; of a run that is retried that of
 * the execution it continues, which its memo names.
 */
export function dataExecution({ runId, memo, raw }: Described): string {
  const continued = memo?.['execution'];
  if (typeof continued === 'string') return continued;
  const info: object = 'workflowExecutionInfo' in raw ? (raw.workflowExecutionInfo ?? {}) : raw;
  const first = 'firstRunId' in info ? info.firstRunId : undefined;
  return typeof first === 'string' && first !== '' ? first : runId;
}
