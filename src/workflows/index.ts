export { agent } from './agent.ts';
export { investigate } from './investigate.ts';
export { ledger } from './ledger.ts';
