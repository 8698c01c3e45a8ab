import { makeAggregationTask } from './aggregation.ts';
import { makeNeedleTask } from './needle.ts';
import type { LongContextTask, TaskSize } from './task.ts';

/** Every task there is, by its name, made to a size. */
export const TASKS: Readonly<Record<string, (size: TaskSize) => LongContextTask>> = {
  'needle-one': (size) => makeNeedleTask('one', size),
  'needle-keys': (size) => makeNeedleTask('keys', size),
  'needle-values': (size) => makeNeedleTask('values', size),
  aggregation: makeAggregationTask,
};
