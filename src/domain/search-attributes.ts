/** Search attributes that the workflow of a run sets where its namespace has all of them. */
export const SEARCH_ATTRIBUTES = [
  { name: 'RlmStatus', type: 'Keyword' },
  { name: 'RlmRepository', type: 'Keyword' },
  { name: 'RlmCommit', type: 'Keyword' },
  { name: 'RlmPrompt', type: 'Text' },
  { name: 'RlmCost', type: 'Double' },
] as const;

/** Set by Temporal, on what a schedule starts. */
export const SCHEDULED_BY = 'TemporalScheduledById';
