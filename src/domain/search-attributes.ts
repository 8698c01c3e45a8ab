/** Search attributes that the workflow of a run sets where its namespace has all of them. */
export const SEARCH_ATTRIBUTES = [
  { name: 'RlmStatus', type: 'Keyword' },
  { name: 'RlmRepository', type: 'Keyword' },
  { name: 'RlmCommit', type: 'Keyword' },
  { name: 'RlmPrompt', type: 'Text' },
  { name: 'RlmCost', type: 'Double' },
] as const;

/**
 * Which of them the workflow of a run sets. They are readable for everybody who may list workflows: with encryption no
 * text, but status and cost only.
 */
export type SettableAttributes = 'none' | 'status and cost' | 'all';

/** Set by Temporal, on what a schedule starts. */
export const SCHEDULED_BY = 'TemporalScheduledById';
