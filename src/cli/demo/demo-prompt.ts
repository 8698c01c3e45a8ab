/** What the demo's run is asked to do; the script knows its root agent by it. */
export const DEMO_PROMPT =
  'Investigate the TODO, FIXME and XXX comments of this repository with sub-agents. ' +
  'Find the one that is easiest to resolve, resolve it, and check that nothing else is affected.';
