/**
 * What the scripted model replies, to everybody the same: the code follows from scenario and turn alone and finds out
 * for itself which agent it is, because not everybody shows the task to the model. The model's name says who asks and
 * for which scenario: `rlms+clone/tree`.
 */
import type { Conversation, ScriptedReply } from '../../src/testing/index.ts';
import {
  CHAIN_LENGTH,
  FAN_CHILDREN,
  ROOT_TASK,
  SCENARIOS,
  TREE_CHILDREN,
  TREE_GRANDCHILDREN,
  type ScenarioName,
} from './scenarios.ts';

/** How one contestant's generated code says things. */
interface Dialect {
  /** First lines of each agent: `job` is its task, `here` the folder of its clone. */
  readonly begin: readonly string[];
  /** A statement that ends the agent with the value of an expression, a string. */
  readonly finish: (expression: string) => string;
  readonly reply: (code: string) => string;
  readonly turn: (conversation: Conversation) => number;
}

const CLONE = [
  'import subprocess, tempfile',
  'here = tempfile.mkdtemp()',
  'subprocess.run(["git", "clone", "-q", "--shared", os.environ["BENCH_REPOSITORY"], here], cwd="/", check=True)',
];
const NO_CLONE = ['here = os.environ["BENCH_REPOSITORY"]'];

const rlms: Dialect = {
  begin: ['import json, os', 'job = context'],
  finish: (expression) => `answer["content"] = ${expression}; answer["ready"] = True`,
  reply: (code) => `\`\`\`repl\n${code}\n\`\`\``,
  turn: ({ turn }) => turn,
};

const dspy: Dialect = {
  begin: [
    'import dspy, json, os',
    'from concurrent.futures import ThreadPoolExecutor',
    'job = task',
    'def rlm_query(text):',
    '    return dspy.RLM("task -> answer")(task=text).answer',
    'def rlm_query_batched(texts):',
    '    with ThreadPoolExecutor(len(texts)) as pool:',
    '        return list(pool.map(rlm_query, texts))',
  ],
  finish: (expression) => `SUBMIT(answer=${expression})`,
  reply: (code) =>
    `[[ ## reasoning ## ]]\nAs scripted.\n\n[[ ## code ## ]]\n\`\`\`python\n${code}\n\`\`\`\n\n[[ ## completed ## ]]`,
  // The whole history is in one message, with the iteration's number before it.
  turn: ({ last }) => Number(/\[\[ ## iteration ## \]\]\s*(\d+)\//.exec(last)?.[1] ?? 0) - 1,
};

const durableRlm: Dialect = {
  begin: ['import json, os', 'job = task', 'here = "."'],
  finish: (expression) => `FINAL(${expression})`,
  reply: (code) => `\`\`\`python\n${code}\n\`\`\``,
  turn: ({ turn }) => turn,
};

const DIALECTS: Readonly<Record<string, Dialect>> = {
  'durable-rlm': durableRlm,
  floor: { ...durableRlm, begin: [...durableRlm.begin, ...NO_CLONE] },
  rlms: { ...rlms, begin: [...rlms.begin, ...NO_CLONE] },
  'rlms+clone': { ...rlms, begin: [...rlms.begin, ...CLONE] },
  dspy: { ...dspy, begin: [...dspy.begin, ...NO_CLONE] },
  'dspy+clone': { ...dspy, begin: [...dspy.begin, ...CLONE] },
};

const IS_ROOT = `root = job.startswith(${JSON.stringify(ROOT_TASK)})`;
/** An agent looks at its clone, and later tells how many entries it has. */
const LOOK = ['tree = sorted(os.listdir(here))', 'below = ""'];
const GREP = [
  'import subprocess',
  'found = subprocess.run(["git", "-C", here, "grep", "-c", "TODO"], capture_output=True, text=True, cwd=here).stdout',
  'print(len(found.splitlines()))',
];
const REPORT = 'f"{job} {len(tree)} entries.{below}"';

/** The lines of a turn of any agent; undefined beyond the last. */
type Play = (turn: number, dialect: Dialect) => readonly string[] | undefined;

const chain: Play = (turn, { begin, finish }) => {
  if (turn >= CHAIN_LENGTH) return undefined;
  const count = turn === 0 ? [...begin, 'n = 1'] : ['n += 1'];
  return [...count, turn === CHAIN_LENGTH - 1 ? finish('json.dumps([str(n)])') : 'print(n)'];
};

const tree =
  (work: readonly string[]): Play =>
  (turn, { begin, finish }) => {
    const texts =
      `[f"Inspect part {i}" + (" and look closer:" if i < ${TREE_GRANDCHILDREN} else ":") ` +
      `for i in range(${TREE_CHILDREN})]`;
    switch (turn) {
      case 0:
        return [
          ...begin,
          IS_ROOT,
          ...LOOK,
          ...work,
          'if root:',
          `    reports = rlm_query_batched(${texts})`,
          'elif "look closer" in job:',
          '    below = " " + rlm_query(f"Look closely at part {job.split()[2]}:")',
        ];
      case 1:
        return ['if root:', '    print(len(reports))', 'else:', `    ${finish(REPORT)}`];
      case 2:
        return ['print(reports[0])'];
      case 3:
        return [finish('json.dumps(reports)')];
      default:
        return undefined;
    }
  };

const fan: Play = (turn, { begin, finish }) => {
  switch (turn) {
    case 0:
      return [
        ...begin,
        IS_ROOT,
        ...LOOK,
        'if root:',
        `    reports = rlm_query_batched([f"Inspect part {i}:" for i in range(${FAN_CHILDREN})])`,
      ];
    case 1:
      return ['if root:', `    ${finish('json.dumps(reports)')}`, 'else:', `    ${finish(REPORT)}`];
    default:
      return undefined;
  }
};

const PLAYS: Readonly<Record<ScenarioName, Play>> = {
  chain,
  'chain-slow': chain,
  tree: tree([]),
  'tree-grep': tree(GREP),
  fan,
  'fan-16': fan,
};

export default function play(conversation: Conversation): ScriptedReply | undefined {
  const [who = '', name = ''] = conversation.model.split('/');
  const dialect = DIALECTS[who];
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined || dialect === undefined) return undefined;
  const lines = PLAYS[scenario.name](dialect.turn(conversation), dialect);
  return lines === undefined ? undefined : { text: dialect.reply(lines.join('\n')), latencyMs: scenario.latency };
}
