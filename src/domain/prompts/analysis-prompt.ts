import type { InputFiles, StoredInput } from '../inputs.ts';
import { reprOfText } from '../python-repr.ts';
import type { AnalysisSpecification, TaskRecord } from '../records.ts';
import { describeFields, submitExample, submitSignature } from '../signature/describe.ts';
import type { Field, Signature } from '../signature/field-type.ts';
import { renderType } from '../signature/render.ts';
import { truncateMiddle } from '../truncate.ts';
import { delimit, delimiterOf } from './delimit.ts';
import { renderTool } from './render-tool.ts';
import { outputRule, reportRule, unseenRule } from './system-prompt.ts';

/** Characters of a task or of instructions shown in the first message. */
const SHOWN = 8000;

/** What leads an agent of an analysis: the root explores its variables and submits the fields, a sub-agent reports. */
export function analysisSystemPrompt(run: AnalysisSpecification, depth: number): string {
  const { max_depth } = run.config.rlm;
  const mayDelegate = max_depth === undefined || depth < max_depth;
  const { tools = [] } = run;
  return [
    depth === 0 ? ROOT_ROLE : SUB_AGENT_ROLE,
    howItWorks(depth, delimiterOf(run)),
    functionsSection(run, depth, mayDelegate),
    ...(tools.length === 0 ? [] : [`Further functions\n${tools.map(renderTool).join('\n')}`]),
    HOW_TO_WORK,
    ...(mayDelegate
      ? [delegationSection(depth)]
      : ['You are at the greatest depth allowed: there are no sub-agents below you.']),
    limitsSection(run, depth),
    depth === 0 ? rootFinish(run.signature) : SUB_AGENT_FINISH,
  ].join('\n\n');
}

const ROOT_ROLE = `You are an analyst. You are given data in Python variables, mostly too large to read in one go, and the fields that are wanted as the result. You work by writing Python that is run for you; you see the data only through that code, and through a language model that your code can ask about any part of it.`;

const SUB_AGENT_ROLE = `You are an analyst. Another agent gave you one self-contained task, with the data it needs in Python variables, and waits for your report. You work by writing Python that is run for you; you see the data only through that code, and through a language model that your code can ask about any part of it.`;

function howItWorks(depth: number, delimiter: string): string {
  return `How it works
- Write one \`\`\`python block (or a few, run in order until one fails). You are then shown what it printed. This repeats until you finish.
${outputRule(delimiter)}
${unseenRule(depth === 0 ? 'SUBMIT' : 'FINAL')}
- The interpreter is kept between turns: variables, imports and functions stay. The value of a last expression is printed, as in a notebook, and \`await\` works at the top level.
- ${depth === 0 ? 'The variables named in the first message are there from the beginning.' : 'Your task is in the variable `task`; what came with it is in the variables named in the first message.'} There is no network; files can be written in the current folder.
- Think before you write code, in a sentence or two; code outside of a python block is not run.`;
}

function functionsSection({ config, signature }: AnalysisSpecification, depth: number, mayDelegate: boolean): string {
  const delegate = mayDelegate
    ? [
        `- rlm_query(task, **variables) -> str: a sub-agent with an interpreter of its own works on \`task\` and returns its report. It has the keyword arguments as its variables, and nothing else of yours.
    report = rlm_query("Which of the documents contradict each other, and on what? Give their numbers.", documents=documents[:40])`,
        `- rlm_query_batched(tasks, **variables) -> list[str]: the same for several tasks at once, in parallel. Each keyword argument is a list with one value for each task.
    reports = rlm_query_batched(["Find every date and what happened on it."] * len(parts), documents=parts)`,
      ]
    : [];
  const finish =
    depth === 0
      ? [
          `- SUBMIT(${signature.outputs.map(({ name }) => name).join(', ')}): finishes with the result, all fields by name. Values that do not fit their types are refused, and you are told which and why.
    ${submitExample(signature)}`,
        ]
      : [
          `- FINAL(answer): finishes, with a string, list or dict as your report. Nothing after it is run.
    FINAL("Documents 3 and 17 contradict each other on the date: ...")`,
          `- FINAL_VAR(name): finishes with the value of the variable of that name.
    FINAL_VAR("report")`,
        ];
  return [
    'Functions beside ordinary Python',
    `- llm_query(prompt) -> str: asks a language model one question. It sees only the prompt: no variables, no history. A prompt may be long: put whole documents into it.
    answer = llm_query(f"Who is the narrator of this text? Answer with a name.\\n\\n{documents[0]}")`,
    `- llm_query_batched(prompts) -> list[str]: many questions at once, in parallel, answers in order. By far the fastest way to have much text read.
    answers = llm_query_batched([f"List the events of this text as JSON: [{{\\"who\\": ..., \\"what\\": ...}}]\\n\\n{text}" for text in documents])`,
    ...delegate,
    ...finish,
    `A call that fails does not raise: it returns a string that starts with "Error:", so look at what you got.${mayDelegate ? ` ${reportRule(config.rlm.result_truncation_limit)}` : ''}`,
  ].join('\n');
}

const HOW_TO_WORK = `How to go about it
- Look first: types, lengths, the beginning of a few items. Do not print what is large.
- Code for what code does well (counting, searching, joining, sorting, parsing); the language model for what takes reading and judgement. Never guess what a text says from its beginning.
- Ask for answers in a form that code can read (JSON, one word), and expect some that do not keep to it: look at those, ask again.
- Put several small texts into one prompt, a few ten thousand characters in all, rather than one prompt each.
- Keep results in variables, and check them before you finish: is everything covered, do the numbers add up, do a few samples hold?`;

function delegationSection(depth: number): string {
  return `When to use sub-agents
- ${depth === 0 ? 'Seldom: llm_query_batched is enough for reading. Use them' : 'Hardly ever. Use them'} where a part of the work needs exploring and several steps of its own.
- A sub-agent starts knowing nothing but its task and the variables it is handed. Say what to find out and in what form to report.`;
}

function limitsSection({ config }: AnalysisSpecification, depth: number): string {
  const { rlm, sandbox } = config;
  const depthLine = rlm.max_depth === undefined ? '' : ` You are at depth ${depth} of at most ${rlm.max_depth}.`;
  return `Limits
- You have ${rlm.max_iterations} turns. A block may compute ${sandbox.block_timeout} seconds; time spent waiting for the functions above does not count.
- The whole run may ask llm_query ${rlm.max_llm_calls} times (each prompt of a batch counts) and have ${rlm.max_sandboxes} agents, you included.${depthLine}
- Of each block's output you see ${rlm.output_limit} characters: the beginning and the end. Print what you need; keep the rest in variables.`;
}

function rootFinish(signature: Signature): string {
  const [only, ...others] = signature.outputs;
  const also = only !== undefined && others.length === 0 ? ` With one field, FINAL(${only.name}) does the same.` : '';
  return `To finish
- Look at what you are about to give in a turn before, and mend what is missing or wrong.
- Then call ${submitSignature(signature)}, in a block of its own.${also}`;
}

const SUB_AGENT_FINISH = `To finish
- Check your findings against the data before you report them.
- Then call FINAL with a report that stands on its own: the facts asked for, and what you could not find out. It is all that your caller sees.`;

/** What an analysis begins with: what is wanted, and what there is, never more of a variable than its beginning. */
export function analysisFirstMessage(task: TaskRecord, run: AnalysisSpecification): string {
  return task.depth === 0 ? rootMessage(run) : subAgentMessage(task, delimiterOf(run));
}

function rootMessage({ signature, inputs }: AnalysisSpecification): string {
  const given = new Map(inputs.map((input) => [input.name, input]));
  const known = new Set(signature.inputs.map(({ name }) => name));
  const variables = [
    ...signature.inputs.map((field) => variableLine(field, given.get(field.name))),
    ...inputs
      .filter(({ name }) => !known.has(name))
      .map((input) => `- ${input.name}: ${holds(input)}\n    ${KNOWN_BEFORE}`),
  ];
  return [
    signature.instructions === undefined ? '' : `Task:\n${truncateMiddle(signature.instructions.trim(), SHOWN).text}`,
    variables.length === 0 ? 'There are no input variables.' : `Variables:\n${variables.join('\n')}`,
    `Output fields:\n${describeFields(signature.outputs)}`,
    'Begin.',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function subAgentMessage({ task, variables = [] }: TaskRecord, delimiter: string): string {
  const shown = truncateMiddle(task, SHOWN);
  const more = shown.truncated
    ? `\n\n(The task is shown in part; the variable \`task\` holds all ${task.length} characters.)`
    : '';
  const lines = variables.map((input) => `- ${input.name}: ${holds(input)}`);
  const handed = lines.length === 0 ? '' : `\n\nVariables:\n${lines.join('\n')}`;
  return `Task:\n${delimit('task', shown.text, delimiter)}${more}${handed}\n\nBegin.`;
}

function variableLine({ name, type, description }: Field, input: StoredInput | undefined): string {
  const text = description?.trim().replaceAll(/\s*\n\s*/g, ' ') ?? '';
  const head = `- ${name}: ${renderType(type)}${text === '' ? '' : `: ${text}`}`;
  return input === undefined ? head : `${head}\n    ${holds(input)}`;
}

const KNOWN_BEFORE =
  'what the run before this one found. Do not search for these again: check whether each still holds, and give those that do with what is new.';

/** `list of length 117, 2.6 MB: ['...`, and the files it is from */
function holds({ size, summary, files }: StoredInput): string {
  const { type, length, preview } = summary;
  const parts = [`${type}${length === null ? '' : ` of length ${length.toLocaleString('en-US')}`}`, formatBytes(size)];
  return `${parts.join(', ')}: ${preview}${files === undefined ? '' : `\n    ${fromFiles(files)}`}`;
}

/** Names as Python writes them: whatever they hold stays in its quotes. */
function fromFiles({ count, first }: InputFiles): string {
  const names = first.map(reprOfText).join(', ');
  const more = count > first.length ? ` and ${(count - first.length).toLocaleString('en-US')} more` : '';
  return count === 1
    ? `from the file ${names}`
    : `from ${count.toLocaleString('en-US')} files, in this order: ${names}${more}`;
}

function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['kB', 'MB', 'GB'];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** The closing question of an analysis, whose answer has the fields. */
export function analysisExtract(signature: Signature): string {
  const fields = signature.outputs.map(({ name, type }) => `  "${name}": <${renderType(type)}>`).join(',\n');
  return `Your turns are used up; no more code is run. From all that you have seen above, give the best result you can now, as one JSON object with exactly these fields, in a \`\`\`json block:\n{\n${fields}\n}\nWhat you do not know, give as the types allow (an empty list, null, your best estimate). Your reply is taken as the result.`;
}
