import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findPython } from '../../../src/sandbox/kernel-python.ts';

/** The least that an agent's blocks need: a namespace that stays, `llm_query_batched` and `SUBMIT`. */
const INTERPRETER = `
import contextlib, io, json, sys, traceback
real = sys.stdout
def send(message):
    real.write(json.dumps(message) + "\\n")
    real.flush()
def get():
    return json.loads(sys.stdin.readline())
class Submitted(BaseException):
    pass
def llm_query_batched(prompts):
    send({"prompts": prompts})
    return get()
def SUBMIT(**fields):
    send({"fields": fields})
    raise Submitted
names = {"__name__": "__main__", "llm_query_batched": llm_query_batched, "SUBMIT": SUBMIT}
names.update(get())
while True:
    code, printed = get(), io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<block>", "exec"), names)
    except Submitted:
        break
    except Exception:
        printed.write("\\n<error x>\\n" + traceback.format_exc())
    send({"printed": printed.getvalue()})
`;

/** What a block did next. */
interface Message {
  readonly prompts?: readonly string[];
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly printed?: string;
}

export interface Analysis {
  readonly fields: Readonly<Record<string, unknown>>;
  /** What each block printed. */
  readonly outputs: readonly string[];
  /** Prompts of each call of `llm_query_batched`. */
  readonly batches: readonly (readonly string[])[];
}

/**
 * Runs an agent's blocks in a real Python until it submits.
 *
 * @param reply the agent's reply, by what its last block printed and the number of its replies
 * @param answer the model's answer to a prompt
 */
export async function analysisOf(
  variables: Readonly<Record<string, unknown>>,
  reply: (last: string, turn: number) => string,
  answer: (prompt: string) => string,
): Promise<Analysis> {
  const python = spawn((await findPython()).path, ['-I', '-c', INTERPRETER], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
    const put = (value: unknown): void => void python.stdin.write(`${JSON.stringify(value)}\n`);
    const outputs: string[] = [];
    const batches: (readonly string[])[] = [];
    put(variables);
    put(blockOf(reply('', 0)));
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one message after the other
      const line = await lines.next();
      if (line.done === true) throw new Error(`Python ended after ${outputs.length} blocks`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written above
      const { prompts, fields, printed = '' } = JSON.parse(line.value) as Message;
      if (fields !== undefined) return { fields, outputs, batches };
      if (prompts === undefined) {
        outputs.push(printed);
        put(blockOf(reply(`Output:\n${printed}`, outputs.length)));
      } else {
        batches.push(prompts);
        put(prompts.map(answer));
      }
    }
  } finally {
    python.kill();
  }
}

function blockOf(reply: string): string {
  const code = /```python\n(.*)\n```/s.exec(reply)?.[1];
  if (code === undefined) throw new Error(`a reply without code: ${reply}`);
  return code;
}
