export { csvLine } from './csv.ts';
export { file, folder } from './input-path.ts';
export { inputsNeed } from './inputs-need.ts';
export { readInputs, type InputsRead } from './read-inputs.ts';
export { storeValues } from './store-values.ts';
