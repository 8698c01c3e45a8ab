/**
 * Loaded once for each V8 context, before workflows: the SDK takes a stack trace of every promise a workflow makes,
 * and with the ten frames that are usual that was a sixth of the workflow thread's work. Three name the place.
 */
(Error as { stackTraceLimit?: number }).stackTraceLimit = 3;

export {};
