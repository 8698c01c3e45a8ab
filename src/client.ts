/** What `durable-rlm` gives to programs. */
export { parsePlot, type PlotSpec } from './chart/plot-spec.ts';
export { renderChart, type Chart } from './chart/render-chart.ts';
export { rowsOf, type ChartRows } from './chart/rows-of.ts';
export type { AnalysisDocument, AnalysisRequest, InputPlace, InputValues } from './client/analyses.ts';
export { connect, type AnalysisHandle, type ConnectOptions, type RlmClient, type RunHandle } from './client/connect.ts';
export {
  analyze,
  investigate,
  type AnalysisResult,
  type OneAnalysisOptions,
  type OneRunOptions,
} from './client/one-run.ts';
export type { OwnWorker } from './client/own-worker.ts';
export type { RunReport } from './client/report-run.ts';
export type { ForkArguments } from './client/start-fork.ts';
export type { RunArguments } from './client/run-arguments.ts';
export { RunFailedError } from './client/run-failed.ts';
export type { ConfigInput } from './config/schema.ts';
export type { RunConfig } from './domain/config.ts';
export { TypedError } from './domain/failures.ts';
export type { Question } from './domain/messages.ts';
export { entriesOf, stringifyJson } from './domain/ordered-json.ts';
export type { RunReference } from './domain/records.ts';
export type { SignatureInputs, SignatureOutputs } from './domain/signature/inference.ts';
export type { SignatureForm } from './domain/signature/read-signature.ts';
export { file, folder } from './inputs/index.ts';
export type { RunDocument } from './results/run-document.ts';
export { TemporalSetupError } from './temporal/errors.ts';
export { tool, type ToolContext, type ToolDefinition } from './tools/tool.ts';
