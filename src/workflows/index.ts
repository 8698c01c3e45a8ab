export { agent } from './agent.ts';
export { analyze } from './analyze.ts';
export { batch } from './batch.ts';
export { budget } from './budget.ts';
export { investigate } from './investigate.ts';
export { default } from './unknown-workflow.ts';
