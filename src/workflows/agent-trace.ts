import type {
  AnswerPromptsInput,
  CallModelInput,
  RunCodeInput,
  RunCodeResult,
  TaskReference,
} from '../domain/contract.ts';
import { agentSpan, callSpan, iterationSpan, type TraceSpan } from '../domain/trace.ts';

/** A span without what all spans of a workflow share. */
export type Span = Omit<TraceSpan, 'run' | 'execution'>;

/** Follows an agent by the activities it schedules and what they tell: its iterations, and the calls of its code. */
export interface AgentTrace {
  readonly id: string;
  /** Path of the span that an activity scheduled now belongs to. */
  parentOf(activity: string, input: Readonly<Record<string, unknown>>): string;
  /** Path of the call that a sub-agent with this task answers. */
  callOf(task: TaskReference): string;
  onActivityResult(activity: string, result: unknown): void;
  /** @param iteration - iterations before, where the agent has continued as new */
  started(iteration: number): void;
  ended(): void;
}

interface OpenCall {
  readonly call: string;
  readonly name: string;
  readonly request: string;
  readonly start: number;
  readonly parent: string;
  /** Positions in its list whose sub-agent has been started. */
  readonly begun: Set<number>;
}

export function createAgentTrace(id: string, emit: (span: Span) => void): AgentTrace {
  let current: { readonly number: number; readonly start: number } | undefined;
  let iteration = 0;
  /** Head that the model was last asked from: asked again from the same, it is the same iteration. */
  let askedFrom: string | null | undefined;
  let calls: readonly OpenCall[] = [];

  function closeIteration(end: number): void {
    closeCalls(() => true, end, 'the code ended before it had the answer');
    if (current === undefined) return;
    const { number, start } = current;
    emit({
      path: iterationSpan(id, number),
      parent: agentSpan(id),
      name: `iteration ${number}`,
      start,
      end,
      attributes: { 'rlm.agent': id, 'rlm.iteration': number },
    });
    current = undefined;
  }

  function openIteration(number: number, start: number): void {
    if (current?.number === number) return;
    closeIteration(start);
    current = { number, start };
  }

  function closeCalls(which: (call: OpenCall) => boolean, end: number, error?: string): void {
    for (const { call, name, start, parent } of calls.filter(which)) {
      const span = { path: callSpan(id, call), parent, name, start, end };
      emit({
        ...span,
        attributes: { 'rlm.agent': id, 'rlm.call': call },
        ...(error === undefined ? {} : { error }),
      });
    }
    calls = calls.filter((call) => !which(call));
  }

  const here = (): string => (current === undefined ? agentSpan(id) : iterationSpan(id, current.number));

  return {
    id,
    parentOf(activity, input) {
      switch (activity) {
        case 'callModel': {
          const { head = null, purpose } = input as unknown as CallModelInput;
          if (head !== askedFrom) iteration += 1;
          askedFrom = head;
          if (purpose === 'final_answer') closeIteration(Date.now());
          else openIteration(iteration, Date.now());
          return here();
        }
        case 'runCode': {
          const answered = new Set((input as unknown as RunCodeInput).answers?.map(({ call }) => call));
          closeCalls(({ call }) => answered.has(call), Date.now());
          return here();
        }
        case 'answerPrompts':
          return callSpan(id, (input as unknown as AnswerPromptsInput).call);
        default:
          if (activity === 'finishAgent') closeIteration(Date.now());
          return agentSpan(id);
      }
    },
    callOf({ ref, index = 0 }) {
      const open = calls.find(({ request, begun }) => request === ref && !begun.has(index));
      open?.begun.add(index);
      return open === undefined ? here() : callSpan(id, open.call);
    },
    onActivityResult(activity, result) {
      if (activity !== 'runCode') return;
      const turn = result as RunCodeResult;
      if (turn.kind !== 'calls' && turn.kind !== 'evicted') return;
      const start = Date.now();
      const opened = turn.calls.map(({ call, function: name, request }) => ({
        call,
        name,
        request,
        start,
        parent: here(),
        begun: new Set<number>(),
      }));
      calls = [...calls, ...opened];
    },
    started(before) {
      iteration = before;
    },
    ended: () => closeIteration(Date.now()),
  };
}
