import pLimit from 'p-limit';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { agentDepth, parentAgent } from '../../src/domain/ids.ts';
import {
  agentReferenceName,
  answerUsage,
  runReferenceName,
  type AgentReference,
  type Answer,
  type ChainRecord,
  type PendingCall,
  type RunOutcome,
} from '../../src/domain/records.ts';
import { addUsage, NO_USAGE, type Usage } from '../../src/domain/usage.ts';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createChains } from '../../src/storage/chain.ts';

/** What one agent did, in a generated run. */
export interface GeneratedAgent {
  readonly id: string;
  readonly task: string;
  readonly turns: readonly GeneratedTurn[];
  /** Null: it has none. */
  readonly answer: unknown;
  /** With it the agent has failed. */
  readonly error?: string;
  /** Seconds after the run's start. */
  readonly from: number;
  readonly to: number;
}

export interface GeneratedTurn {
  readonly say?: string;
  readonly reasoning?: string;
  readonly code: string;
  readonly stdout?: string;
  /** All that was printed, where `stdout` is only a part. */
  readonly whole?: string;
  readonly stderr?: string;
  readonly error?: string;
  readonly final?: unknown;
  /** Of one `rlm_query_batched`: agents by id, whose tasks and answers are theirs. */
  readonly spawns?: readonly string[];
  /** Prompts of one `llm_query_batched`, and what they were answered. */
  readonly asks?: readonly (readonly [prompt: string, answer: string])[];
  readonly cost?: number;
}

export const STARTED_AT = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Writes a run as a worker would have: chains, references, and its outcome. */
export async function writeRun(
  blobs: BlobStore,
  input: {
    readonly run: string;
    readonly prompt: string;
    readonly agents: readonly GeneratedAgent[];
    readonly patch?: string;
    /** Absent: it has not ended. */
    readonly status?: RunOutcome['status'];
    readonly error?: string;
    readonly startedAt?: number;
    readonly config?: object;
    readonly signature?: unknown;
  },
): Promise<void> {
  const chains = createChains(blobs);
  const { run, agents, startedAt = STARTED_AT } = input;
  const execution = `0198c0de-0000-7000-8000-${String(run.length).padStart(12, '0')}`;
  const isAnalysis = input.signature !== undefined;
  const spec = await chains.putJson({
    v: 1,
    kind: 'run',
    type: isAnalysis ? 'analyze' : 'investigate',
    run,
    execution,
    prompt: input.prompt,
    ...(isAnalysis
      ? { signature: input.signature, inputs: [] }
      : { repository: { name: 'example', commit: 'c'.repeat(40), branch: 'main' } }),
    config: { ...DEFAULT_CONFIG, ...input.config },
  });
  const byId = new Map(agents.map((agent) => [agent.id, agent]));
  const answers = new Map<string, string | null>();
  for (const { id, answer } of agents) answers.set(id, answer === null ? null : await chains.putJson(answer));
  // Each blob is synced to disk: many at a time.
  const all = addUsage(...(await pLimit(64).map(agents, writeAgent)));
  const root = byId.get('0');
  const whole = typeof root?.answer === 'string' ? root.answer : JSON.stringify(root?.answer ?? null);
  const outcome: RunOutcome = {
    run_id: run,
    status: input.status ?? 'completed',
    answer: root?.answer === null ? null : whole.slice(0, 4000),
    answer_truncated: whole.length > 4000,
    answer_ref: answers.get('0') ?? null,
    answer_source: root?.answer === null ? 'none' : 'final',
    patch_ref: input.patch === undefined ? null : await blobs.put(Buffer.from(input.patch)),
    error: input.error ?? null,
    notes: [],
    agents: agents.length,
    max_depth: Math.max(...agents.map(({ id }) => agentDepth(id))),
    iterations: agents.reduce((sum, { turns }) => sum + turns.length, 0),
    sandboxes: agents.length,
    usage: all,
    execution_time: root?.to ?? 0,
  };
  await blobs.setReference(runReferenceName(run, execution), {
    run,
    execution,
    spec,
    started_at: startedAt,
    ...(input.status === undefined ? {} : { outcome, ended_at: startedAt + (root?.to ?? 0) * 1000 }),
  });

  async function writeAgent({ id, task, turns, answer, error, from, to }: GeneratedAgent): Promise<Usage> {
    let head = await chains.append({
      v: 1,
      kind: 'task',
      parent: null,
      agent: id,
      depth: agentDepth(id),
      run: spec,
      task,
      prompt_version: 1,
    });
    let usage = NO_USAGE;
    const append = async (record: ChainRecord): Promise<void> => {
      head = await chains.append(record);
    };
    for (const [index, turn] of turns.entries()) {
      const paid: Usage = {
        input_tokens: 1000 + index * 200,
        output_tokens: 120,
        cost: turn.cost ?? 0.0012,
        llm_calls: 1,
      };
      usage = addUsage(usage, paid);
      const text = `${turn.say ?? `Step ${index + 1}.`}\n\`\`\`python\n${turn.code}\n\`\`\``;
      await append({
        v: 1,
        kind: 'reply',
        parent: head,
        iteration: index + 1,
        purpose: 'turn',
        text,
        ...(turn.reasoning === undefined ? {} : { reasoning: turn.reasoning }),
        finish_reason: 'stop',
        model: 'openai/scripted',
        usage: paid,
        execution_time: 1.5,
        request: { messages: 2 + index * 2, characters: 4000 + index * 900, last: turns[index - 1]?.stdout ?? task },
      });
      const block = index + 1;
      const calls: PendingCall[] = [];
      const answered: { call: string; answer: Answer }[] = [];
      if (turn.spawns !== undefined) {
        const list = turn.spawns.map((child) => byId.get(child)?.task ?? '');
        const request = await chains.putJson({ function: 'rlm_query_batched', hash: `${id}${index}`, list });
        calls.push({ call: `${block}.1`, function: 'rlm_query_batched', request, batch: list.length });
        const items = turn.spawns.map((child): Answer => {
          const ref = answers.get(child) ?? undefined;
          const failed = byId.get(child)?.error;
          if (failed !== undefined) return { error: `sub-agent ${child} did not finish (${failed})` };
          return ref === undefined ? { error: 'none' } : { ref, child };
        });
        answered.push({ call: `${block}.1`, answer: { items } });
      }
      if (turn.asks !== undefined) {
        const request = await chains.putJson({
          function: 'llm_query_batched',
          hash: `a${id}${index}`,
          list: turn.asks.map(([prompt]) => prompt),
        });
        calls.push({ call: `${block}.2`, function: 'llm_query_batched', request, batch: turn.asks.length });
        const items: Answer[] = [];
        for (const [, text_] of turn.asks)
          items.push({
            ref: await chains.putJson(text_),
            usage: { input_tokens: 50, output_tokens: 10, cost: 0.0001 },
          });
        usage = addUsage(
          usage,
          ...items.map(() => ({ input_tokens: 50, output_tokens: 10, cost: 0.0001, llm_calls: 1 })),
        );
        // As the worker does where they are many: a blob of their own has the rest.
        const rest = items.splice(10);
        if (rest.length > 0)
          items.push({
            list: await chains.putJson(rest),
            count: rest.length,
            usage: addUsage(...rest.map(answerUsage)),
          });
        answered.push({ call: `${block}.2`, answer: { items } });
      }
      if (calls.length > 0) {
        await append({ v: 1, kind: 'calls', parent: head, block, calls, cursor: 1 });
        await append({ v: 1, kind: 'answers', parent: head, block, answers: answered });
      }
      const stdout = turn.stdout ?? '';
      await append({
        v: 1,
        kind: 'block',
        parent: head,
        iteration: index + 1,
        block,
        index: 0,
        code: `${turn.code}\n`,
        result: {
          status: turn.error === undefined ? 'ok' : 'error',
          stdout,
          stderr: turn.stderr ?? '',
          stdout_length: turn.whole?.length ?? stdout.length,
          stderr_length: turn.stderr?.length ?? 0,
          error: turn.error ?? null,
          final: turn.final === undefined ? null : { value: turn.final },
          execution_time: 0.4,
        },
        spawned: turn.spawns ?? [],
        calls: calls.map(({ call, request }) => ({ call, request })),
        ...(turn.whole === undefined ? {} : { full: { stdout: await blobs.put(Buffer.from(turn.whole)) } }),
      });
    }
    const hasEnded = input.status !== undefined;
    if (hasEnded) {
      await append({
        v: 1,
        kind: 'end',
        parent: head,
        status: error === undefined ? 'completed' : 'failed',
        source: answer === null ? 'none' : 'final',
        answer_ref: answers.get(id) ?? null,
        error: error ?? null,
        patch: null,
        notes: [],
        usage,
        execution_time: to - from,
      });
    }
    const reference: AgentReference = {
      head,
      agent: id,
      depth: agentDepth(id),
      task: task.slice(0, 200),
      state: hasEnded ? 'done' : 'thinking',
      ...(hasEnded ? { status: error === undefined ? 'completed' : 'failed', ended_at: startedAt + to * 1000 } : {}),
      iteration: turns.length,
      sandbox: `local:box-${id}`,
      usage,
      started_at: startedAt + from * 1000,
      updated_at: startedAt + to * 1000,
    };
    await blobs.setReference(agentReferenceName(run, execution, id), reference);
    return usage;
  }
}

const MODULES = [
  'linear_model',
  'ensemble',
  'tree',
  'svm',
  'cluster',
  'utils',
  'metrics',
  'neighbors',
  'datasets',
  'impute',
];
const FAILS = '0.17.1';
const WHY = 'The model refused the request (400): messages with images are not supported by this deployment';

/** A root, 25 agents below it, 15 of them with one below: one of those fails, its parent reports it, the root gives up. */
export function failedTree(): readonly GeneratedAgent[] {
  const children = Array.from({ length: 25 }, (_, index) => `0.${index + 1}`);
  const withChild = children.filter((_, index) => index >= 10);
  const moduleOf = (id: string): string => `sklearn/${MODULES[Number(id.split('.')[1]) % MODULES.length]}`;
  const leaves = withChild.map((id): GeneratedAgent => {
    const child = `${id}.1`;
    const fails = child === FAILS;
    return {
      id: child,
      task: `Look closely at the TODO comments in ${moduleOf(id)}/_base.py and say how hard each is.`,
      turns: [
        {
          code: `text = open('${moduleOf(id)}/_base.py').read()\nprint(text.count('TODO'))`,
          stdout: '3\n',
          say: 'I read the file first.',
        },
        ...(fails
          ? [
              {
                code: "import base64\nprint(llm_query('describe ' + base64.b64encode(open('doc/logo.png', 'rb').read()).decode()))",
                error: `RuntimeError: ${WHY}`,
                cost: 0.031,
              },
            ]
          : [{ code: "FINAL('3 TODOs: one easy, two hard')", final: '3 TODOs: one easy, two hard' }]),
      ],
      answer: fails ? null : '3 TODOs: one easy, two hard',
      ...(fails ? { error: WHY } : {}),
      from: 6 + Number(id.split('.')[1]) / 5,
      to: 18 + Number(id.split('.')[1]),
    };
  });
  const middle = children.map((id): GeneratedAgent => {
    const below = withChild.includes(id) ? [`${id}.1`] : undefined;
    const broken = below?.[0] === FAILS;
    const answer = broken
      ? `${moduleOf(id)}: could not look closely, the sub-agent failed. Skipped this module.`
      : `${moduleOf(id)}: 12 TODOs in 7 files, the easiest is in _base.py`;
    return {
      id,
      task: `Search for TODO comments in ${moduleOf(id)}/ and assess difficulty`,
      turns: [
        {
          code: `import subprocess\nfiles = subprocess.check_output(['grep', '-rl', 'TODO', '${moduleOf(id)}'], text=True).split()\nprint(len(files), files[:3])`,
          stdout: `7 ['${moduleOf(id)}/_base.py']\n`,
        },
        ...(below === undefined
          ? []
          : [
              {
                code: "below = rlm_query_batched(['Look closely at _base.py'])\nprint(below[0])",
                spawns: below,
                stdout: broken
                  ? `Error: sub-agent ${FAILS} did not finish (${WHY})\n`
                  : '3 TODOs: one easy, two hard\n',
              },
            ]),
        {
          say: broken ? 'The sub-agent failed, so I skip this module and say so.' : 'I have what I need.',
          code: `FINAL(${JSON.stringify(answer)})`,
          final: answer,
        },
      ],
      answer,
      from: 4,
      to: 20 + Number(id.split('.')[1]) + (below === undefined ? 0 : 3),
    };
  });
  const root: GeneratedAgent = {
    id: '0',
    task: 'Investigate TODO comments and fix the easiest.',
    turns: [
      {
        code: "import os\nprint(sorted(os.listdir('sklearn'))[:10])",
        stdout: "['_base.py', 'cluster']\n",
        reasoning: 'First the layout.',
      },
      {
        code: 'reports = rlm_query_batched(tasks)\nfor report in reports: print(report)',
        spawns: children,
        stdout: middle.map(({ answer }) => String(answer)).join('\n'),
      },
      {
        code: "grades = llm_query_batched([f'Grade {r}' for r in reports])\nprint(grades)",
        asks: reports(middle),
        stdout: '[...]\n',
      },
      {
        say: 'One module is missing; I cannot say which TODO is the easiest of all.',
        code: "raise SystemExit('incomplete')",
        error: 'SystemExit: incomplete',
      },
    ],
    answer: null,
    error: 'used up its iterations and gave no answer',
    from: 0,
    to: 60,
  };
  return [root, ...middle.flatMap((agent) => [agent, ...leaves.filter((leaf) => parentAgent(leaf.id) === agent.id)])];
}

function reports(middle: readonly GeneratedAgent[]): (readonly [string, string])[] {
  return middle.map(({ answer }, index) => [`Grade ${String(answer)}`, index % 2 === 0 ? 'easy' : 'hard'] as const);
}

/** A tree of so many agents, ten below each, with so many iterations in all. */
export function* largeTree(agents: number, iterations: number): Generator<GeneratedAgent> {
  const ids = ['0'];
  for (let at = 0; ids.length < agents; at += 1)
    for (let child = 1; child <= 10 && ids.length < agents; child += 1) ids.push(`${ids[at]}.${child}`);
  const each = Math.ceil(iterations / agents);
  for (const [index, id] of ids.entries()) {
    const children = ids.filter((other) => parentAgent(other) === id);
    yield {
      id,
      task: `Inspect part ${index} of the tree and report what ${index % 7 === 0 ? 'needle' : 'hay'} it holds.`,
      turns: Array.from({ length: each }, (_, turn) => ({
        code: `rows = [n for n in range(${turn}, 400) if n % ${index + 2} == 0]\nprint(len(rows), rows[:5])`,
        stdout: `${'a line of what it printed, as long as lines are\n'.repeat(8)}${index * 31 + turn}${index === agents - 3 && turn === each - 1 ? ' the-one-rare-word' : ''}\n`,
        ...(turn === 0 && children.length > 0 ? { spawns: children } : {}),
      })),
      answer: `Part ${index} holds ${index * 3} things.`,
      from: index / 10,
      to: 400 - index / 10,
    };
  }
}
