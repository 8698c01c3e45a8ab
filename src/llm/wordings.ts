/**
 * How providers word what a status does not tell. The status is the same for many things: 400 is a request that is
 * wrong, too long, moderated or unpaid; 403 is a key without rights, no credit or moderation; 429 is a limit that passes or
 * a quota that is used up. docs/providers.md shows what comes of each.
 */
export interface Wording {
  /** Who is known to say it. */
  readonly provider: string;
  /** Matched against codes and message. Groups `sent` and `limit` are numbers of tokens. */
  readonly pattern: RegExp;
}

/** The conversation is longer than the model takes. */
export const TOO_LONG: readonly Wording[] = [
  { provider: 'OpenAI, Azure, Groq, Cerebras', pattern: /\bcontext_length_exceeded\b/i },
  {
    provider: 'OpenAI, Azure, OpenRouter, DeepSeek, vLLM, NVIDIA',
    pattern:
      /maximum context length (?:is|of) (?<limit>\d+)(?: tokens)?[^]*?(?:you requested (?:about |a total of )?|resulted in |input length: |contains (?:at least )?)(?<sent>\d+)(?! output)/i,
  },
  { provider: 'OpenAI', pattern: /exceeds the context window/i },
  {
    provider: 'OpenRouter',
    pattern: /input length (?<sent>\d+) exceeds the maximum allowed input length of (?<limit>\d+)/i,
  },
  { provider: 'Anthropic', pattern: /prompt is too long(?:: (?<sent>\d+) tokens > (?<limit>\d+) maximum)?/i },
  {
    provider: 'Anthropic',
    pattern: /input length and `?max_tokens`? exceed context limit: (?<sent>\d+) \+ \d+ > (?<limit>\d+)/i,
  },
  { provider: 'Anthropic', pattern: /\brequest_too_large\b/i },
  {
    provider: 'Gemini',
    pattern:
      /input token count(?: \((?<sent>\d+)\))? exceeds the maximum number(?: of tokens allowed)?(?: \(?(?<limit>\d+)\)?)?/i,
  },
  {
    provider: 'Cerebras',
    pattern: /reduce the length of the messages[^]*current length is (?<sent>\d+) while limit is (?<limit>\d+)/i,
  },
  {
    provider: 'SambaNova',
    pattern: /maximum context length of \S+ is (?<limit>\d+)[^]*will take (?<sent>\d+) tokens/i,
  },
  { provider: 'Groq', pattern: /reduce the length of (?:the |your )?(?:messages|prompt|input)/i },
  {
    provider: 'Mistral',
    pattern: /prompt contains (?<sent>\d+) tokens[^]*too large for model with (?<limit>\d+) maximum context length/i,
  },
  {
    provider: 'Together',
    pattern: /`?inputs`? tokens \+ `?max_new_tokens`? must be <= (?<limit>\d+)\. Given: (?<sent>\d+)/i,
  },
  {
    provider: 'Together',
    pattern: /input \((?<sent>\d+) tokens\) is longer than the model'?s context length \((?<limit>\d+) tokens\)/i,
  },
  {
    provider: 'Fireworks',
    pattern: /prompt is too long: (?<sent>\d+), model maximum context length: (?<limit>\d+)/i,
  },
  {
    provider: 'xAI',
    pattern: /maximum prompt length is (?<limit>\d+)(?: but the request contains (?<sent>\d+) tokens)?/i,
  },
  {
    provider: 'DeepInfra (SGLang)',
    pattern:
      /requested token count exceeds the model'?s maximum context length of (?<limit>\d+) tokens\. You requested a total of (?<sent>\d+)/i,
  },
  {
    provider: 'Moonshot',
    pattern: /exceeded model token limit(?:: (?<limit>\d+))?(?: \(requested: (?<sent>\d+)\))?/i,
  },
  { provider: 'Moonshot', pattern: /input token length too long/i },
  { provider: 'Moonshot', pattern: /total message size \d+ exceeds limit \d+/i },
  { provider: 'DashScope', pattern: /range of input length should be \[\d+, ?(?<limit>\d+)\]/i },
  { provider: 'LiteLLM', pattern: /ContextWindowExceededError/i },
  { provider: 'Ollama', pattern: /prompt (?:is )?too long; exceeded (?:max )?context length/i },
  {
    provider: 'LM Studio',
    pattern:
      /keep (?:the first |from the initial prompt)(?<sent>\d+)? ?[^]*context[^]*(?:context length of only (?<limit>\d+)|greater than the context length)/i,
  },
  {
    provider: 'llama.cpp',
    pattern: /request \((?<sent>\d+) tokens\) exceeds the available context size \((?<limit>\d+) tokens\)/i,
  },
  { provider: 'llama.cpp', pattern: /exceed_context_size|exceeds the available context size/i },
  {
    provider: 'vLLM',
    pattern: /prompt \(length (?<sent>\d+)\) is longer than the maximum model length of (?<limit>\d+)/i,
  },
  {
    provider: 'DS4',
    pattern: /prompt has (?<sent>\d+) tokens?, but the configured context size is (?<limit>\d+)/i,
  },
  { provider: 'Z.ai', pattern: /prompt exceeds max(?:imum)? length|model_context_window_exceeded/i },
  { provider: 'MiniMax', pattern: /context window exceeds limit/i },
  { provider: 'GitHub Copilot', pattern: /prompt token count of (?<sent>\d+) exceeds the limit of (?<limit>\d+)/i },
  { provider: 'Amazon Bedrock', pattern: /input is too long for requested model/i },
  // What others say in their own way, most often servers that somebody runs.
  {
    provider: 'others',
    pattern:
      /(?:context|token)[_ -]?(?:length|window|size|limit)s?[_ -](?:is )?exceed|exceed\w*[^.]{0,40}(?:context|token)[_ -](?:length|window|size|limit)/i,
  },
  {
    provider: 'others',
    pattern: /(?:maximum|max) context (?:length|window|size)(?: (?:is|of) (?<limit>\d+))?|maximum prompt length/i,
  },
  {
    provider: 'others',
    pattern: /(?:prompt|input|request|conversation|messages?)(?: is| are| has| have)? too (?:long|many tokens)/i,
  },
  { provider: 'others', pattern: /too many (?:input )?tokens(?! per)/i },
];

/** One request is larger than a limit of tokens for a minute: it never passes, however long one waits. */
export const OVER_MINUTE_LIMIT =
  /tokens per min(?:ute)?\b[^]*?limit:? (?<limit>\d+)(?:, used:? \d+)?,? requested:? (?<sent>\d+)/i;

/** The account has no money or quota left: waiting does not help, a person does. */
export const NO_CREDIT: readonly Wording[] = [
  {
    provider: 'OpenAI, Azure',
    pattern:
      /\b(?:insufficient_quota|billing_hard_limit_reached|billing_not_active|credit_balance_exhausted|(?:organization|project)_spend_limit_exceeded)\b/i,
  },
  {
    provider: 'Anthropic',
    pattern: /credit balance is too low|\bbilling_error\b|specified (?:workspace )?API usage limits/i,
  },
  { provider: 'Gemini', pattern: /quota[^]*\blimit: 0\b|\bprepay(?:ment)? credits\b/i },
  // A short hint beside it is no promise: it is a day's quota.
  { provider: 'Gemini', pattern: /Requests?PerDay|TokensPerDay/ },
  { provider: 'OpenRouter', pattern: /insufficient credits|free-models-per-day|key limit exceeded/i },
  {
    provider: 'Groq',
    pattern: /\b(?:blocked_api_access|spend_limit_reached)\b|blocked API access because a spend/i,
  },
  { provider: 'DeepSeek', pattern: /insufficient[_ ]balance/i },
  { provider: 'xAI', pattern: /used all available credits|monthly spending limit/i },
  { provider: 'Moonshot', pattern: /\bexceeded_current_quota_error\b|account balance is insufficient/i },
  { provider: 'DashScope', pattern: /\bArrearage\b|PostpaidBillOverdue|FreeTierOnly|free allocated quota exceeded/i },
  { provider: 'Together', pattern: /\bcredit_limit\b|credit limit exceeded/i },
  { provider: 'Fireworks', pattern: /account \S+ is suspended/i },
  { provider: 'DeepInfra', pattern: /inference prohibited|balance is too low|positive balance/i },
  { provider: 'NVIDIA', pattern: /cloud credits expired/i },
  { provider: 'LiteLLM', pattern: /\bbudget_exceeded\b|budget has been exceeded/i },
  { provider: 'others', pattern: /insufficient (?:credit|balance|funds)|out of credits?|payment required/i },
];

/** A limit that passes, although its code says that a quota is used up. */
export const THROTTLED: readonly Wording[] = [
  { provider: 'DashScope', pattern: /error-code#(?:token-limit|rate-limit)|\bThrottling\.(?:RateQuota|BurstRate)/i },
  { provider: 'OpenRouter', pattern: /\bopenrouter_in_flight_budget\b/i },
];

/** The provider does not want to answer this prompt; another prompt it would. */
export const MODERATED: readonly Wording[] = [
  { provider: 'OpenRouter', pattern: /requires moderation|your input was flagged/i },
  {
    provider: 'OpenAI',
    pattern:
      /\b(?:content_policy_violation|moderation_blocked|cyber_policy|safety_violations?)\b|flagged as potentially violating|violat\w+ (?:of )?(?:our|the) (?:usage|content) polic/i,
  },
  { provider: 'Azure', pattern: /ResponsibleAIPolicyViolation|content management policy/i },
  { provider: 'Anthropic', pattern: /blocked by (?:our )?content filtering policy/i },
  { provider: 'Gemini', pattern: /\bPROHIBITED_CONTENT\b|blocked (?:by|due to) (?:the )?safety/i },
  { provider: 'xAI', pattern: /violates usage guidelines|SAFETY_CHECK_TYPE/i },
  { provider: 'DeepSeek', pattern: /content exists risk/i },
  { provider: 'Moonshot', pattern: /considered high risk/i },
  { provider: 'DashScope', pattern: /data_?inspection_?failed|may contain inappropriate content/i },
  { provider: 'Z.ai', pattern: /不安全或敏感|unsafe or sensitive content/i },
  { provider: 'LiteLLM', pattern: /ContentPolicyViolationError/i },
  {
    provider: 'others',
    pattern: /\bcontent[_ ](?:filter(?:ed)?|moderation)\b|flagged by [\w ]{0,20}(?:filter|moderation)/i,
  },
];

/** The key is wrong, said with a status that means something else. */
export const BAD_KEY: readonly Wording[] = [
  {
    provider: 'Gemini, xAI',
    pattern:
      /\bAPI_KEY_INVALID\b|(?:invalid|incorrect|wrong|expired|missing).{0,20}api[ _-]?key|api[ _-]?key.{0,30}(?:not valid|invalid|incorrect|expired)/i,
  },
];

/** The first wording that fits. */
export function findWording(wordings: readonly Wording[], text: string): RegExpExecArray | undefined {
  for (const { pattern } of wordings) {
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  return undefined;
}
