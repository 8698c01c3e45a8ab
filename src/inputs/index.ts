export { inputsNeed } from './inputs-need.ts';
export { storeValues } from './store-values.ts';
