import {
  openBudget,
  type BudgetGrant,
  type BudgetLimits,
  type BudgetRequest,
  type BudgetSettlement,
} from '../../src/domain/budget.ts';
import { createBudgetClient, type BudgetClient } from '../../src/workflows/budget-client.ts';
import { createBudgetService, type BudgetService, type MessageToBudget } from '../../src/workflows/budget-service.ts';
import { createPaidCalls, type PaidCalls } from '../../src/workflows/paid-calls.ts';
import { seeded, type Random } from '../chaos/random.ts';

/**
 * A run's budget and its agents without a server: the real budget, the real clients, and between them a network that
 * delivers in a random order, repeats, and loses agents. The same seed plays the same.
 */
export interface Simulated {
  readonly limits: BudgetLimits;
  /** What the budget has counted at the end. */
  readonly used: BudgetService['budget']['used'];
  readonly inFlight: number;
  readonly waiting: number;
  /** What was really made, in sandboxes, prompts and USD. */
  readonly made: Spending;
  /** What all agents together asked for, the root's sandbox included. */
  readonly demand: Omit<Spending, 'usd'>;
  readonly refused: Omit<Spending, 'usd'> & { readonly unpaid: number };
  readonly agents: number;
  readonly messages: number;
  readonly problems: readonly string[];
}

interface Spending {
  sandboxes: number;
  llm_calls: number;
  usd: number;
}

export interface SimulationOptions {
  readonly limits: BudgetLimits;
  /**
   * What happens to agents besides ending by themselves; each a probability at every step. Default: 0. Half of those
   * that are cancelled lose only what their block had called.
   */
  readonly cancels?: number;
  readonly kills?: number;
  /** Probability that a sandbox that was granted cannot be made, and is given back. Default: 0. */
  readonly unused?: number;
  /** Probability, at each step, that the budget continues as new. Default: 0.02. */
  readonly renewals?: number;
  /** USD of each call. Default: 0.1. */
  readonly price?: (random: Random) => number;
}

class Cancelled extends Error {}

interface Agent {
  readonly id: string;
  /** `interrupted`: its block has ended with calls open, which are cancelled; then it continues. */
  state: 'works' | 'interrupted' | 'cancelled' | 'killed' | 'ended';
  client: BudgetClient;
  calls: PaidCalls;
}

interface Waiter {
  readonly agent: Agent;
  readonly done: () => boolean;
  /** Has a time limit; that is how a request waits, whose agent's cancellation does not end it. */
  readonly timed: boolean;
  readonly settle: (result: boolean | Cancelled) => void;
}

/** More than any order takes that comes to an end. */
const MAX_STEPS = 20_000;

export async function simulate(seed: number, options: SimulationOptions): Promise<Simulated> {
  const random = seeded(seed);
  const chance = (probability: number | undefined): boolean => probability !== undefined && random.next() < probability;
  const { limits } = options;
  const limited = limits.max_cost !== undefined;
  const price = options.price ?? (() => 0.1);

  /** What may happen next: deliveries, acknowledgements, calls that end. */
  let events: (() => void)[] = [];
  let waiters: Waiter[] = [];
  const agents: Agent[] = [];
  /** Agents that clean up: what they wait for is not cancelled. */
  const cleaning = new Set<Agent>();
  const killed = new Map<Agent, () => void>();
  const problems: string[] = [];
  const made: Spending = { sandboxes: 1, llm_calls: 0, usd: 0 };
  const demand = { sandboxes: 1, llm_calls: 0 };
  const refused = { sandboxes: 0, llm_calls: 0, unpaid: 0 };
  let messages = 0;
  let renewing = false;

  const later = <T>(what: () => T): Promise<T> => new Promise((resolve) => events.push(() => resolve(what())));

  let service = createBudgetService({ budget: openBudget(limits), messages: [] }, sendGrant);

  async function sendGrant(to: string, grant: BudgetGrant): Promise<boolean> {
    const deliver = (): boolean => {
      const agent = agents.find(({ id }) => id === to);
      if (agent === undefined || agent.state === 'killed' || agent.state === 'ended') return false;
      agent.client.receive(grant);
      return true;
    };
    const delivered = await later(deliver);
    if (delivered && chance(0.1)) void later(deliver);
    return later(() => delivered);
  }

  /** Delivered once or twice, and only then acknowledged. */
  async function sendToBudget(agent: Agent, message: MessageToBudget): Promise<boolean> {
    const deliver = (): void => {
      messages += 1;
      service.receive(message);
      check();
    };
    if (agent.state === 'killed') return new Promise(() => undefined);
    await later(deliver);
    if (chance(0.1)) await later(deliver);
    return later(() => true);
  }

  function connect(agent: Agent): void {
    agent.client = createBudgetClient(agent.id, {
      reserve: (request: BudgetRequest) => sendToBudget(agent, { kind: 'reserve', request }),
      settle: (settlement: BudgetSettlement) => sendToBudget(agent, { kind: 'settle', settlement }),
      until: (done, milliseconds) => until(agent, done, milliseconds !== undefined),
      detached: (work) => work(),
      nonce: () => random.between(0, 1e9).toString(36),
    });
    agent.calls = createPaidCalls(agent.client, limited);
  }

  function until(agent: Agent, done: () => boolean, timed: boolean): Promise<boolean> {
    if (done()) return Promise.resolve(true);
    if (isCancelled({ agent, timed })) return Promise.reject(new Cancelled());
    return new Promise((resolve, reject) => {
      const end = (result: boolean | Cancelled): void =>
        result instanceof Cancelled ? reject(result) : resolve(result);
      waiters.push({ agent, done, timed, settle: end });
    });
  }

  function isStopped({ state }: Agent): boolean {
    return state === 'cancelled' || state === 'interrupted';
  }

  function isCancelled({ agent, timed }: Pick<Waiter, 'agent' | 'timed'>): boolean {
    return isStopped(agent) && !timed && !cleaning.has(agent);
  }

  function check(): void {
    const { used } = service.budget;
    if (used.sandboxes > limits.max_sandboxes) problems.push(`${used.sandboxes} sandboxes are counted`);
    if (used.llm_calls > limits.max_llm_calls) problems.push(`${used.llm_calls} llm_query calls are counted`);
    if (made.sandboxes > used.sandboxes)
      problems.push(`${made.sandboxes} sandboxes are made, ${used.sandboxes} counted`);
    if (made.llm_calls > used.llm_calls) problems.push(`${made.llm_calls} prompts asked, ${used.llm_calls} counted`);
  }

  async function agentRuns(id: string, depth: number): Promise<void> {
    const agent = { id, state: 'works' } as Agent;
    connect(agent);
    agents.push(agent);
    const death = new Promise<void>((resolve) => killed.set(agent, resolve));
    await Promise.race([death, workAndEnd(agent, depth)]);
  }

  async function workAndEnd(agent: Agent, depth: number): Promise<void> {
    const children: Promise<void>[] = [];
    try {
      for (let round = random.between(1, depth === 0 ? 3 : 2); round > 0; round -= 1) {
        // Several threads of the code call at the same time.
        const calls = Array.from({ length: random.between(1, 2) }, () => act(agent, depth, children));
        const outcomes = await Promise.allSettled(calls);
        const isInterrupted = agent.state === 'interrupted';
        if (isInterrupted) agent.state = 'works';
        for (const outcome of outcomes) if (outcome.status === 'rejected' && !isInterrupted) throw outcome.reason;
        if (chance(0.2)) {
          await agent.client.idle();
          connect(agent); // It continues as new.
        }
      }
    } catch (error) {
      if (!(error instanceof Cancelled)) problems.push(String(error));
    }
    await Promise.all(children);
    cleaning.add(agent);
    await agent.client.idle();
    agent.state = 'ended';
  }

  async function act(agent: Agent, depth: number, children: Promise<void>[]): Promise<void> {
    const kind = random.between(0, limited ? 3 : 2);
    if (kind === 0 && depth < 2) await startChildren(agent, depth, children);
    else if (kind === 1) await rebuild(agent);
    else if (kind === 3) await ownCall(agent);
    else await askPrompts(agent);
  }

  async function startChildren(agent: Agent, depth: number, children: Promise<void>[]): Promise<void> {
    const wanted = random.between(1, 4);
    demand.sandboxes += wanted;
    const { sandboxes } = await agent.client.reserve({ sandboxes: wanted });
    refused.sandboxes += wanted - sandboxes;
    let unused = 0;
    for (let child = 1; child <= sandboxes; child += 1) {
      if (chance(options.unused)) {
        unused += 1;
        continue;
      }
      made.sandboxes += 1;
      children.push(agentRuns(`${agent.id}.${children.length + 1}`, depth + 1));
    }
    if (unused > 0) agent.client.settle({ unused: { sandboxes: unused } });
  }

  async function rebuild(agent: Agent): Promise<void> {
    demand.sandboxes += 1;
    const { sandboxes } = await agent.client.reserve({ sandboxes: 1 });
    made.sandboxes += sandboxes;
    refused.sandboxes += 1 - sandboxes;
  }

  /** A model that takes its time; refused for good now and then. */
  async function callModels(agent: Agent, count: number): Promise<readonly number[]> {
    const costs = Array.from({ length: count }, () => price(random));
    await later(() => undefined);
    if (agent.state === 'killed') return new Promise(() => undefined);
    if (isStopped(agent)) throw new Cancelled();
    made.usd += costs.reduce((a, b) => a + b, 0);
    return costs;
  }

  async function askPrompts(agent: Agent): Promise<void> {
    const wanted = random.between(1, 12);
    demand.llm_calls += wanted;
    const { asked, unpaid } = await agent.calls.payForPrompts(wanted, (from, to) => {
      made.llm_calls += to - from;
      return callModels(agent, to - from);
    });
    noteUnpaid(unpaid);
    refused.llm_calls += wanted - asked - unpaid;
  }

  async function ownCall(agent: Agent): Promise<void> {
    try {
      await agent.calls.payForCall(async () => ({ cost: (await callModels(agent, 1))[0] ?? 0 }));
    } catch (error) {
      if (error instanceof Cancelled) throw error;
      noteUnpaid(1);
    }
  }

  function noteUnpaid(count: number): void {
    refused.unpaid += count;
    const { used } = service.budget;
    if (count > 0 && used.usd < (limits.max_cost ?? 0) - 1e-6)
      problems.push(`${count} calls refused although only $${used.usd} is used`);
  }

  async function renew(): Promise<void> {
    renewing = true;
    const before = service;
    const state = JSON.parse(JSON.stringify(await before.stop())) as Awaited<ReturnType<BudgetService['stop']>>;
    service = createBudgetService(state, sendGrant);
    renewing = false;
  }

  function disturb(): void {
    const victim = (): Agent => random.pick(agents);
    const below = (agent: Agent): Agent[] =>
      agents.filter(({ id }) => id === agent.id || id.startsWith(`${agent.id}.`));
    if (chance(options.renewals ?? 0.02) && !renewing) void renew();
    if (chance(options.cancels)) {
      const [agent, ...others] = below(victim());
      if (agent?.state === 'works') agent.state = chance(0.5) ? 'interrupted' : 'cancelled';
      for (const each of others) if (each.state !== 'killed' && each.state !== 'ended') each.state = 'cancelled';
      for (const waiter of waiters.filter(isCancelled)) {
        waiters = waiters.filter((each) => each !== waiter);
        waiter.settle(new Cancelled());
      }
    }
    if (chance(options.kills)) {
      const agent = victim();
      // Its sub-agents are cancelled by the server; here they just go with it.
      for (const each of below(agent)) {
        if (each.state === 'ended') continue;
        each.state = 'killed';
        killed.get(each)?.();
      }
    }
  }

  /** Time passes for one that waits: chosen now and then, and when nothing else can happen. */
  function timeOut(): boolean {
    const timed = waiters.filter((each) => each.timed && each.agent.state !== 'killed');
    if (timed.length === 0) return false;
    const waiter = random.pick(timed);
    waiters = waiters.filter((each) => each !== waiter);
    waiter.settle(false);
    return true;
  }

  let finished = false;
  const root = agentRuns('run/0', 0).then(() => (finished = true));
  root.catch((error: unknown) => problems.push(String(error)));

  for (let step = 0; ; step += 1) {
    // All that follows from the last event has then happened.
    await new Promise(setImmediate);
    const ready = waiters.filter((each) => each.agent.state !== 'killed' && each.done());
    if (ready.length > 0) {
      waiters = waiters.filter((each) => !ready.includes(each));
      for (const waiter of ready) waiter.settle(true);
      continue;
    }
    const isOver = agents.every(({ state }) => state === 'ended' || state === 'killed');
    if (isOver && events.length === 0 && !renewing) break;
    if (step > MAX_STEPS) {
      problems.push('it does not come to an end');
      break;
    }
    if (chance(0.02) && timeOut()) continue;
    if (events.length === 0) {
      if (timeOut()) continue;
      problems.push(finished ? 'agents wait for ever' : 'the root waits for ever');
      break;
    }
    disturb();
    const index = random.between(0, events.length - 1);
    const [event] = events.splice(index, 1);
    event?.();
  }
  check();
  const { used, modelCalls, waiting } = service.budget;
  return {
    limits,
    used,
    inFlight: modelCalls.inFlight,
    waiting: waiting.length,
    made,
    demand,
    refused,
    agents: agents.length,
    messages,
    problems,
  };
}
