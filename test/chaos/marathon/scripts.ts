import { withCode, type Conversation, type ScriptFunction } from '../../../src/testing/index.ts';

/** The model of all long runs: what an agent is to do stands in its task. */
const reply: ScriptFunction = (conversation) => {
  const { messages, opening, last, turn } = conversation;
  if (messages.length === 1) return `answer to ${last}`;
  const find = (pattern: RegExp): readonly string[] | undefined => pattern.exec(opening)?.slice(1);
  if (find(/Solve task \S+/) !== undefined) return withCode('FINAL("solved " + task.split()[2])');
  const group = find(/Lead group (\d+) of (\d+) (tasks|prompts)/);
  if (group !== undefined) return lead(turn, `${group[0]}-`, Number(group[1]), group[2] === 'tasks');
  const groups = find(/Hand out (\d+) groups of (\d+) (tasks|prompts)/);
  if (groups !== undefined) return handOut(turn, groups);
  const flat = find(/Hand out (\d+) tasks/);
  if (flat !== undefined) return lead(turn, '', Number(flat[0]), true);
  const calls = find(/Ask (\d+) questions/);
  if (calls !== undefined) return ask(turn, Number(calls[0]));
  const count = find(/Count to (\d+)/);
  return count === undefined ? undefined : countOn(conversation, Number(count[0]));
};

export default reply;

/** Every number is the model's, and each block must run once, in order, in the same interpreter. */
function countOn({ messages, last }: Conversation, end: number): string {
  const text = messages.map(({ content }) => content).join('\n');
  const counted = Number([...text.matchAll(/counted (\d+)/g)].at(-1)?.[1] ?? 0);
  if (last.includes('write a summary of all turns so far')) return `The numbers are in values; counted ${counted}.`;
  if (counted === end)
    return withCode(`FINAL({"right": sum(a == b for a, b in enumerate(values)), "of": len(values)})`);
  return withCode(`${counted === 0 ? 'values = []\n' : ''}values.append(${counted})\nprint("counted", len(values))`);
}

function ask(turn: number, count: number): string {
  return withCode(
    turn === 0
      ? `answers = []\nfor n in range(${count}):\n    answers.append(llm_query(f"question {n}"))`
      : 'FINAL({"right": sum(a == f"answer to question {n}" for n, a in enumerate(answers)), "of": len(answers)})',
  );
}

function lead(turn: number, prefix: string, count: number, tasks: boolean): string {
  const asked = tasks ? `rlm_query_batched([f"Solve task ${prefix}{n}"` : `llm_query_batched([f"prompt ${prefix}{n}"`;
  const expected = tasks ? `solved ${prefix}{n}` : `answer to prompt ${prefix}{n}`;
  return withCode(
    turn === 0
      ? `answers = ${asked} for n in range(${count})])`
      : `FINAL({"right": sum(a == f"${expected}" for n, a in enumerate(answers)), "of": len(answers)})`,
  );
}

function handOut(turn: number, [groups, size, kind]: readonly string[]): string {
  const tasks = `[f"Lead group {g} of ${size} ${kind}" for g in range(${groups})]`;
  return withCode(
    turn === 0
      ? `reports = rlm_query_batched(${tasks})`
      : [
          'import json',
          'reports = [r if isinstance(r, dict) else json.loads(r.replace("\'", chr(34))) for r in reports]',
          'FINAL({"right": sum(r["right"] for r in reports), "of": sum(r["of"] for r in reports)})',
        ].join('\n'),
  );
}
