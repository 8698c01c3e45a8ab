export { loadTools, toolsOf, type LoadToolsOptions } from './load-tools.ts';
export { tool, type ToolContext, type ToolDefinition } from './tool.ts';
export type { Tools } from './tools.ts';
