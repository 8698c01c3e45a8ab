import type { Conversation, RequestedConversation } from './conversation.ts';

/** One request to the scripted model, without its text, so that thousands can be kept. */
export interface ScriptedCall {
  /** 0, 1, 2, ... in the order of arrival. */
  readonly index: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** When the reply was sent or the connection ended; 0 before. */
  readonly endedAt: number;
  readonly model: string;
  /** Of model and messages: the same hash is the same conversation. */
  readonly hash: string;
  readonly key: string;
  readonly turn: number;
  /** Beginning of the conversation's last message before the model's first reply. */
  readonly task: string;
  /** Name of the script that answered; '' when none did. */
  readonly script: string;
  /**
   * answered: a reply reached the connection (what a provider bills). failed: an HTTP error or a broken reply did.
   * cut: the script cut the connection. aborted: the client went away first. unscripted: no script had a reply.
   */
  readonly outcome: 'pending' | 'answered' | 'failed' | 'cut' | 'aborted' | 'unscripted';
  readonly askedBefore: number;
  /** Calls with the same hash answered before this one ended: above 0, and answered itself, it was paid twice. */
  readonly answeredBefore: number;
  /** As above, by `Idempotency-Key`. 0 without one. */
  readonly keyAnsweredBefore: number;
}

export interface CallRecords {
  readonly calls: readonly ScriptedCall[];
  /** Greatest number of calls that were pending at the same time. */
  peak(): number;
  begin(requested: RequestedConversation): { conversation: Conversation; index: number };
  end(index: number, outcome: Exclude<ScriptedCall['outcome'], 'pending'>, script: string): void;
  /** Resolves with the first call, past or future, that the predicate accepts. */
  when(predicate: (call: ScriptedCall) => boolean, timeoutMs: number): Promise<ScriptedCall>;
}

interface Waiter {
  readonly predicate: (call: ScriptedCall) => boolean;
  readonly resolve: (call: ScriptedCall) => void;
}

/** @param onEnd called with each call that has ended */
export function createCallRecords(onEnd: (call: ScriptedCall) => void): CallRecords {
  const calls: ScriptedCall[] = [];
  const asked = new Map<string, number>();
  const answered = new Map<string, number>();
  const answeredKeys = new Map<string, number>();
  const waiters = new Set<Waiter>();
  let pending = 0;
  let peak = 0;

  const announce = (call: ScriptedCall): void => {
    for (const waiter of waiters) {
      if (waiter.predicate(call)) waiter.resolve(call);
    }
  };

  return {
    calls,
    peak: () => peak,
    begin(requested) {
      const { hash, key } = requested;
      const askedBefore = asked.get(hash) ?? 0;
      const answeredBefore = answered.get(hash) ?? 0;
      asked.set(hash, askedBefore + 1);
      pending += 1;
      peak = Math.max(peak, pending);
      const index = calls.length;
      const call: ScriptedCall = {
        index,
        at: Date.now(),
        endedAt: 0,
        model: requested.model,
        hash,
        key,
        turn: requested.turn,
        task: beginningOfTask(requested),
        script: '',
        outcome: 'pending',
        askedBefore,
        answeredBefore,
        keyAnsweredBefore: key === '' ? 0 : (answeredKeys.get(key) ?? 0),
      };
      calls.push(call);
      announce(call);
      return { conversation: { ...requested, askedBefore, answeredBefore }, index };
    },
    end(index, outcome, script) {
      const begun = calls[index];
      if (begun === undefined || begun.outcome !== 'pending') return;
      pending -= 1;
      const answeredBefore = answered.get(begun.hash) ?? 0;
      const keyAnsweredBefore = begun.key === '' ? 0 : (answeredKeys.get(begun.key) ?? 0);
      if (outcome === 'answered') {
        answered.set(begun.hash, answeredBefore + 1);
        if (begun.key !== '') answeredKeys.set(begun.key, keyAnsweredBefore + 1);
      }
      const call = { ...begun, outcome, script, answeredBefore, keyAnsweredBefore, endedAt: Date.now() };
      calls[index] = call;
      onEnd(call);
      announce(call);
    },
    when(predicate, timeoutMs) {
      const known = calls.find(predicate);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          predicate,
          resolve: (call) => {
            clearTimeout(timer);
            waiters.delete(waiter);
            resolve(call);
          },
        };
        const timer = setTimeout(() => {
          waiters.delete(waiter);
          reject(new Error(`the scripted model waited ${timeoutMs} ms in vain for a call; it had ${calls.length}`));
        }, timeoutMs);
        waiters.add(waiter);
      });
    },
  };
}

/** Calls whose conversation had already been answered, and was answered again. */
export function paidTwice(calls: readonly ScriptedCall[]): ScriptedCall[] {
  return calls.filter((call) => call.outcome === 'answered' && call.answeredBefore > 0);
}

function beginningOfTask(requested: RequestedConversation): string {
  const firstReply = requested.messages.findIndex((message) => message.role === 'assistant');
  const task = requested.messages.at(firstReply < 0 ? -1 : firstReply - 1)?.content ?? '';
  return task.slice(0, 120);
}
