import { withCode, type ScriptFunction } from '../../src/testing/index.ts';

/** The replies of both benches: an agent whose code asks many prompts in one batch, and one that holds a gigabyte. */
const reply: ScriptFunction = ({ opening, last, turn, messages }) => {
  if (messages.length === 1) return `answer to ${last.slice(0, 40)}`;
  if (opening.includes('prompts: int')) {
    return withCode(
      turn === 0
        ? 'answers = llm_query_batched([f"prompt {n} of {name}" for n in range(prompts)])\nprint(len(answers), answers[-1])'
        : 'SUBMIT(right=sum(answer == f"answer to prompt {n} of {name}" for n, answer in enumerate(answers)))',
    );
  }
  return withCode('SUBMIT(count=len(documents), characters=sum(map(len, documents)), last=documents[-1][:20])');
};

export default reply;
