import type { ChainRecord } from '../domain/records.ts';
import type { Chains } from '../storage/chain.ts';
import type { Listener } from './events.ts';
import { createDedupe } from './dedupe.ts';
import { wrap } from '../domain/wrap.ts';
import { currentActivityContext, type ActivityContext } from './activity-context.ts';

/** The same chains; emits an event for each record that is appended, once per record. */
export function observeChains(
  chains: Chains,
  { tell, onRecord }: { tell: Listener; onRecord?: (record: ChainRecord, place: ActivityContext) => void },
): Chains {
  const isNew = createDedupe();
  return wrap(chains, {
    async append(record) {
      const hash = await chains.append(record);
      const place = currentActivityContext();
      if (place === undefined || !isNew(`${place.run}@${place.execution}/${place.agent}/${hash}`)) return hash;
      onRecord?.(record, place);
      tellOf(record, place, tell);
      return hash;
    },
  });
}

function tellOf(record: ChainRecord, { run, agent }: ActivityContext, tell: Listener): void {
  if (record.kind === 'reply' && record.purpose === 'turn') {
    const { iteration, model, usage } = record;
    tell({ kind: 'iteration', run, agent, iteration, model, usage });
  }
  if (record.kind === 'block') {
    const { iteration, block, result } = record;
    tell({ kind: 'block', run, agent, iteration, block, status: result.status, seconds: result.execution_time });
  }
  if (record.kind === 'end') {
    const { status, execution_time: seconds, usage, error } = record;
    tell({ kind: 'agent ended', run, agent, status, seconds, usage, ...(error === null ? {} : { error }) });
  }
}
