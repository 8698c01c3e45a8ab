/** What model calls used, summed. Tokens as the provider counted them; cost in USD. */
export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** USD. 0 when neither the provider nor the price table knows. */
  readonly cost: number;
  /** Model calls that were answered. */
  readonly llm_calls: number;
}

export const NO_USAGE: Usage = { input_tokens: 0, output_tokens: 0, cost: 0, llm_calls: 0 };

export function addUsage(...usages: readonly Usage[]): Usage {
  let [input_tokens, output_tokens, cost, llm_calls] = [0, 0, 0, 0];
  for (const usage of usages) {
    input_tokens += usage.input_tokens;
    output_tokens += usage.output_tokens;
    cost += usage.cost;
    llm_calls += usage.llm_calls;
  }
  // Costs are sums of decimal fractions of a cent: keep them readable.
  return { input_tokens, output_tokens, cost: Math.round(cost * 1e9) / 1e9, llm_calls };
}
