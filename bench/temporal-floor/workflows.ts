import { executeChild, proxyActivities } from '@temporalio/workflow';

interface Activities {
  nothing(): Promise<void>;
}

/** Activities that do nothing, one after another; on another queue than the workflow's where one is named. */
export async function chain({ length, taskQueue }: { length: number; taskQueue?: string }): Promise<void> {
  const { nothing } = proxyActivities<Activities>({
    startToCloseTimeout: '1 minute',
    ...(taskQueue === undefined ? {} : { taskQueue }),
  });
  for (let step = 0; step < length; step++) await nothing();
}

/** Children at the same time, each a chain of its own. */
export async function fanOut({ children, length }: { children: number; length: number }): Promise<void> {
  await Promise.all(Array.from({ length: children }, () => executeChild(chain, { args: [{ length }] })));
}
