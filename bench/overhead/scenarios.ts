/** One shape of work, the same for everybody who is measured: only the model's latency cannot be avoided. */
export interface Scenario {
  readonly name: ScenarioName;
  readonly title: string;
  /** Agents, the root included. */
  readonly agents: number;
  /** Milliseconds from a request to the reply of the scripted model. */
  readonly latency: number;
  /** Whether peers from PyPI play it too, or only builds of durable-rlm and the floor. */
  readonly peers: boolean;
  /** Seconds of model time on the critical path. */
  readonly ideal: number;
  /** What overhead is divided by; undefined: it is given for the whole. */
  readonly iterations: number | undefined;
  readonly limits: { readonly max_sandboxes: number; readonly max_parallel: number; readonly max_depth: number };
  /** What its root does, for who only counts steps. */
  readonly root: AgentShape;
  /** The reports that the root must hand in, by the number of entries in each agent's clone. */
  readonly reports: (entries: number) => readonly string[];
}

/** An agent as a number of steps. */
export interface AgentShape {
  readonly iterations: number;
  /** Sub-agents that its first iteration starts. */
  readonly children: readonly AgentShape[];
}

export type ScenarioName = 'chain' | 'chain-slow' | 'tree' | 'tree-grep' | 'fan' | 'fan-16';

export const LATENCY = 200;
/** What a model of today takes for a short reply. */
export const SLOW_LATENCY = 2000;
/** The root's task, by which the scripts' code knows the root. */
export const ROOT_TASK = 'Benchmark: report on the repository.';
export const CHAIN_LENGTH = 20;
export const TREE_CHILDREN = 25;
/** So many of the children start one sub-agent each: with the root, the reference's 41 agents. */
export const TREE_GRANDCHILDREN = 15;
export const FAN_CHILDREN = 200;

/** `fan-16` has so many agents at once: the window in which sub-agents are started. */
const FAN_WINDOW = 16;

const leaf: AgentShape = { iterations: 2, children: [] };
const seconds = (turns: number, latency = LATENCY): number => (turns * latency) / 1000;

const chain = {
  agents: 1,
  iterations: CHAIN_LENGTH,
  limits: { max_sandboxes: 1, max_parallel: 1, max_depth: 1 },
  root: { iterations: CHAIN_LENGTH, children: [] },
  reports: () => [String(CHAIN_LENGTH)],
} satisfies Partial<Scenario>;

const tree = {
  latency: LATENCY,
  peers: true,
  agents: 1 + TREE_CHILDREN + TREE_GRANDCHILDREN,
  // A turn of the root, of a child, two of a grandchild, one of the child, three of the root.
  ideal: seconds(8),
  iterations: undefined,
  limits: { max_sandboxes: 50, max_parallel: 50, max_depth: 2 },
  root: {
    iterations: 4,
    children: Array.from({ length: TREE_CHILDREN }, (_, part) => ({
      iterations: 2,
      children: part < TREE_GRANDCHILDREN ? [leaf] : [],
    })),
  },
  reports: (entries) =>
    Array.from({ length: TREE_CHILDREN }, (_, part) => {
      const closer = part < TREE_GRANDCHILDREN;
      const below = closer ? ` Look closely at part ${part}: ${entries} entries.` : '';
      return `Inspect part ${part}${closer ? ' and look closer' : ''}: ${entries} entries.${below}`;
    }),
} satisfies Partial<Scenario>;

const fan = {
  agents: 1 + FAN_CHILDREN,
  latency: LATENCY,
  iterations: undefined,
  root: { iterations: 2, children: Array.from({ length: FAN_CHILDREN }, () => leaf) },
  reports: (entries) => Array.from({ length: FAN_CHILDREN }, (_, part) => `Inspect part ${part}: ${entries} entries.`),
} satisfies Partial<Scenario>;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'chain',
    title: `one agent, ${CHAIN_LENGTH} iterations`,
    ...chain,
    latency: LATENCY,
    peers: true,
    ideal: seconds(CHAIN_LENGTH),
  },
  {
    name: 'chain-slow',
    title: `the same, ${SLOW_LATENCY / 1000} s a call`,
    ...chain,
    latency: SLOW_LATENCY,
    peers: false,
    ideal: seconds(CHAIN_LENGTH, SLOW_LATENCY),
  },
  { name: 'tree', title: '41 agents: a root, 25 below it, 15 below those', ...tree },
  { name: 'tree-grep', title: 'the same, each with a git grep over its clone', ...tree },
  {
    name: 'fan',
    title: `${FAN_CHILDREN} agents at once below a root`,
    ...fan,
    peers: true,
    // Two turns of a child, two of the root.
    ideal: seconds(4),
    limits: { max_sandboxes: 300, max_parallel: 500, max_depth: 1 },
  },
  {
    name: 'fan-16',
    title: `the same, ${FAN_WINDOW} at a time`,
    ...fan,
    peers: false,
    ideal: seconds(2 * Math.ceil(FAN_CHILDREN / FAN_WINDOW) + 2),
    limits: { max_sandboxes: 300, max_parallel: FAN_WINDOW, max_depth: 1 },
  },
];

/** How many agents' answers arrived whole and in their places, the root's own included. */
export function countAnswers(answer: string | undefined, expected: readonly string[]): number {
  const reports = parseReports(answer);
  if (reports === undefined) return 0;
  const arrived = expected.map((report, index) => agentsOf(report).filter((part) => reports[index]?.includes(part)));
  return 1 + arrived.flat().length;
}

/** The first report that is not what it must be; undefined where all are. */
export function wrongReport(answer: string | undefined, expected: readonly string[]): string | undefined {
  const reports = parseReports(answer);
  if (reports === undefined) return answer ?? 'no answer';
  const index = expected.findIndex((report, place) => reports[place] !== report);
  return index < 0 ? undefined : (reports[index] ?? 'no report');
}

/** `Inspect part 3 and look closer: 7 entries. Look closely at part 3: 7 entries.` is what two agents say. */
function agentsOf(report: string): string[] {
  return report === String(CHAIN_LENGTH) ? [] : report.split(/(?<=\.) /);
}

function parseReports(answer: string | undefined): string[] | undefined {
  try {
    const value: unknown = JSON.parse(answer ?? '');
    return Array.isArray(value) ? value.map(String) : undefined;
  } catch {
    return undefined;
  }
}
