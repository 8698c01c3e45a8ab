import type { ActInput, ActResult, AnswerPromptsInput, TaskReference, ThinkInput } from '../domain/contract.ts';
import { agentSpan, callSpan, iterationSpan, type TraceSpan, type TurnTimes } from '../domain/trace.ts';
import { unpackAnswer, unpackCall } from '../domain/wire.ts';

/** A span without what all spans of a workflow share. */
export type Spanned = Omit<TraceSpan, 'run' | 'execution'>;

/** Follows an agent by the activities it schedules and what they tell: its iterations, and the calls of its code. */
export interface AgentTrace {
  readonly id: string;
  /** Path of the span that an activity scheduled now belongs to. */
  parentOf(activity: string, input: Readonly<Record<string, unknown>>): string;
  /** Path of the call that a sub-agent with this task answers. */
  callOf(task: TaskReference): string;
  heard(activity: string, scheduled: number, result: Heard): void;
  ended(): void;
}

/** What the results of activities have that matters here. */
export type Heard = TurnTimes & { readonly turns?: number; readonly acted?: ActResult };

interface OpenCall {
  readonly call: string;
  readonly name: string;
  readonly request: string;
  readonly start: number;
  readonly parent: string;
  /** Positions in its list whose sub-agent has been started. */
  readonly begun: Set<number>;
}

export function createAgentTrace(id: string, emit: (span: Spanned) => void): AgentTrace {
  let current: { readonly number: number; readonly start: number } | undefined;
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
        case 'begin':
          openIteration(1, Date.now());
          return here();
        case 'turn':
        case 'think': {
          const { iteration, purpose } = input as unknown as ThinkInput;
          if (purpose === 'extract') closeIteration(Date.now());
          else openIteration(iteration, Date.now());
          return here();
        }
        case 'act': {
          const answered = new Set((input as unknown as ActInput).answers?.map((answer) => unpackAnswer(answer).call));
          closeCalls(({ call }) => answered.has(call), Date.now());
          return here();
        }
        case 'answerPrompts':
          return callSpan(id, (input as unknown as AnswerPromptsInput).call);
        default:
          if (activity === 'closeAgent') closeIteration(Date.now());
          return agentSpan(id);
      }
    },
    callOf({ ref, index = 0 }) {
      const open = calls.find(({ request, begun }) => request === ref && !begun.has(index));
      open?.begun.add(index);
      return open === undefined ? here() : callSpan(id, open.call);
    },
    heard(activity, scheduled, result) {
      const now = Date.now();
      // Several turns in one activity: what it says of when they began lies between its own beginning and end.
      for (let further = 1; further < (result.turns ?? 1); further += 1) {
        const number = (current?.number ?? 0) + 1;
        const earliest = current?.start ?? scheduled;
        openIteration(number, Math.min(Math.max(result.turn_times?.[number] ?? earliest, earliest), now));
      }
      const acted = activity === 'act' ? (result as unknown as ActResult) : result.acted;
      if (acted?.kind !== 'calls') return;
      const opened = acted.calls.map(unpackCall).map(({ call, function: name, request }) => ({
        call,
        name,
        request,
        start: now,
        parent: here(),
        begun: new Set<number>(),
      }));
      calls = [...calls, ...opened];
    },
    ended: () => closeIteration(Date.now()),
  };
}
