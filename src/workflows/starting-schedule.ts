import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { workflowInfo } from '@temporalio/workflow';
import { scheduleOfOccurrence } from '../domain/ids.ts';
import { SCHEDULED_BY } from '../domain/search-attributes.ts';

const SCHEDULE = defineSearchAttributeKey(SCHEDULED_BY, SearchAttributeType.KEYWORD);

/** The schedule that started this run, or the batch that it is of: Temporal names it in an attribute of what it started. */
export function startingSchedule(): { readonly schedule?: string } {
  const { typedSearchAttributes, parent } = workflowInfo();
  const schedule = typedSearchAttributes.get(SCHEDULE) ?? scheduleOfOccurrence(parent?.workflowId ?? '');
  return schedule === undefined ? {} : { schedule };
}
