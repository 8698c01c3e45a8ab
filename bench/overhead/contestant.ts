import type { Scenario } from './scenarios.ts';

/** Somebody who can play scenarios. */
export interface Contestant {
  readonly name: string;
  /**
   * `own`: this build of durable-rlm; `before`: another build of it; `floor`: what nobody can beat; `steps`: takes the steps
   * of the agents, does nothing in them, and answers nothing; `peer`: from PyPI.
   */
  readonly role: 'own' | 'before' | 'floor' | 'steps' | 'peer';
  /** One line on how it is run. */
  readonly how: string;
  /** Plays a scenario once. @throws Error when it gives no answer at all */
  play(scenario: Scenario): Promise<Performance>;
  close(): Promise<void>;
}

/** One play of a scenario. */
export interface Performance {
  /** From the start to the result, with everything warm. */
  readonly seconds: number;
  /** The root's answer; undefined where there was none. */
  readonly answer: string | undefined;
  /** CPU seconds by part. */
  readonly cpu: Readonly<Record<string, number>>;
  /**
   * CPU seconds of the whole machine, less those of the bench and of the scripted model: tells whether a part is missing.
   * Of builds of durable-rlm only.
   */
  readonly machineCpu?: number;
  /** Greatest resident memory by part, in megabytes. */
  readonly memory: Readonly<Record<string, number>>;
}
