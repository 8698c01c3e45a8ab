/**
 * How each provider of `src/llm/providers.ts` says what a run must understand, in shapes from public bug reports,
 * documentation and source. `docs/providers.md` is written from them, and each is played over HTTP.
 */
export interface RecordedAnswer {
  /** Its documentation has the status, and no example was found: the words are those of others. */
  readonly assumed?: true;
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface ProviderAnswers {
  /** As in docs/providers.md. */
  readonly name: string;
  readonly too_long: RecordedAnswer;
  /** Absent: its calls wait in line. */
  readonly rate_limited?: RecordedAnswer;
  /** Absent: a server of one's own has no bill; of others none is documented or reported. */
  readonly no_credit?: RecordedAnswer;
  /** Absent: it does not moderate. */
  readonly moderated?: RecordedAnswer;
  readonly cut: RecordedAnswer;
  readonly empty: RecordedAnswer;
}

const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

const completion = (finish_reason: string, message: object, more: object = {}): RecordedAnswer => ({
  body: {
    id: 'x',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, finish_reason, message: { role: 'assistant', ...message } }],
    usage,
    ...more,
  },
});
const cut = completion('length', { content: 'The first half of' });
const empty = completion('stop', { content: '' });
/** Reasoning used up the answer. */
const reasoningOnly = completion('stop', { content: null, reasoning_content: 'I wonder' });
const openAI = (
  status: number,
  message: string,
  code: string | null,
  type: string | null,
  headers = {},
): RecordedAnswer => ({
  status,
  headers,
  body: { error: { message, type, param: null, code } },
});
const vllm = (status: number, message: string, type: string): RecordedAnswer => ({
  status,
  body: { object: 'error', message, type, param: null, code: status },
});
const VLLM_TOO_LONG =
  "This model's maximum context length is 32768 tokens. However, you requested 1000 output tokens and your prompt contains at least 40000 input tokens, for a total of at least 41000 tokens. Please reduce the length of the input prompt or the number of requested output tokens.";

/** By the prefix of `model.name`; prefixes that share a server are one entry. */
export const PROVIDER_ANSWERS: Readonly<Record<string, ProviderAnswers>> = {
  openrouter: {
    name: 'OpenRouter',
    too_long: {
      status: 400,
      body: {
        error: {
          message:
            'This endpoint\'s maximum context length is 131072 tokens. However, you requested about 140000 tokens (139000 of text input, 1000 in the output). Please reduce the length of either one, or use the "middle-out" transform to compress your prompt automatically.',
          code: 400,
          metadata: { provider_name: null },
        },
      },
    },
    rate_limited: {
      status: 429,
      body: {
        error: {
          message: 'Rate limit exceeded: free-models-per-min. ',
          code: 429,
          metadata: {
            headers: { 'X-RateLimit-Limit': '20', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1000000003000' },
            provider_name: null,
          },
        },
      },
    },
    no_credit: {
      status: 402,
      body: {
        error: {
          message: 'Insufficient credits. Add more using https://openrouter.ai/settings/credits',
          code: 402,
        },
      },
    },
    moderated: {
      status: 403,
      body: {
        error: {
          message: 'openai/m requires moderation on OpenAI. Your input was flagged for "violence".',
          code: 403,
          metadata: { reasons: ['violence'], flagged_input: '...', provider_name: 'OpenAI', model_slug: 'openai/m' },
        },
      },
    },
    cut,
    empty: completion('stop', { content: '', reasoning: 'I wonder' }),
  },
  openai: {
    name: 'OpenAI',
    too_long: openAI(
      400,
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 130231 tokens. Please reduce the length of the messages.",
      'context_length_exceeded',
      'invalid_request_error',
    ),
    rate_limited: openAI(
      429,
      'Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.',
      'rate_limit_exceeded',
      'requests',
      { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '20s' },
    ),
    no_credit: openAI(
      429,
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
      'insufficient_quota',
      'insufficient_quota',
    ),
    moderated: openAI(
      400,
      'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.',
      'invalid_prompt',
      'invalid_request_error',
    ),
    cut,
    empty,
  },
  anthropic: {
    name: 'Anthropic',
    too_long: openAI(
      400,
      'prompt is too long: 213462 tokens > 200000 maximum',
      'invalid_request_error',
      'invalid_request_error',
    ),
    rate_limited: {
      status: 429,
      headers: { 'retry-after': '12', 'anthropic-ratelimit-requests-reset': '2001-09-09T01:47:00Z' },
      body: {
        type: 'error',
        error: {
          type: 'rate_limit_error',
          message:
            "This request would exceed your organization's rate limit of 50,000 input tokens per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits.",
        },
      },
    },
    no_credit: {
      status: 400,
      body: {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          message:
            'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
        },
      },
    },
    moderated: {
      status: 400,
      body: {
        type: 'error',
        error: { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' },
      },
    },
    cut,
    empty,
  },
  gemini: {
    name: 'Gemini',
    too_long: {
      status: 400,
      body: [
        {
          error: {
            code: 400,
            message: 'The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).',
            status: 'INVALID_ARGUMENT',
          },
        },
      ],
    },
    rate_limited: {
      status: 429,
      body: [
        {
          error: {
            code: 429,
            message:
              'You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 15, model: m\nPlease retry in 34.07s.',
            status: 'RESOURCE_EXHAUSTED',
            details: [
              {
                '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
                violations: [{ quotaId: 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier', quotaValue: '15' }],
              },
              { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34s' },
            ],
          },
        },
      ],
    },
    no_credit: {
      status: 429,
      body: [
        {
          error: {
            code: 429,
            message:
              'You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: m\nPlease retry in 2.5s.',
            status: 'RESOURCE_EXHAUSTED',
          },
        },
      ],
    },
    moderated: {
      body: {
        choices: [{ index: 0, finish_reason: 'content_filter: PROHIBITED_CONTENT' }],
        model: 'm',
        usage: { prompt_tokens: 10, completion_tokens: 0, total_tokens: 10 },
      },
    },
    cut,
    empty: completion('stop', {}),
  },
  groq: {
    name: 'Groq',
    too_long: openAI(
      413,
      'Request too large for model `m` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Requested 9386, please reduce your message size and try again.',
      'rate_limit_exceeded',
      'tokens',
    ),
    rate_limited: openAI(
      429,
      'Rate limit reached for model `m` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Used 6644, Requested 2931. Please try again in 11.8125s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing',
      'rate_limit_exceeded',
      'tokens',
      { 'retry-after': '12' },
    ),
    no_credit: openAI(
      400,
      'Organization has blocked API access because a spend alert threshold was met. Please visit https://console.groq.com/settings/billing to manage your spend alerts.',
      'spend_limit_reached',
      'invalid_request_error',
    ),
    cut,
    empty: completion('stop', { content: '', reasoning: 'I wonder' }),
  },
  mistral: {
    name: 'Mistral',
    too_long: {
      status: 400,
      body: {
        object: 'error',
        message:
          'Prompt contains 34567 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
        type: 'invalid_request_prompt',
        param: null,
        code: '3051',
      },
    },
    rate_limited: {
      status: 429,
      body: {
        object: 'error',
        message: 'Service tier capacity exceeded for this model.',
        type: 'service_tier_capacity_exceeded',
        param: null,
        code: '3505',
      },
    },
    no_credit: {
      assumed: true,
      status: 402,
      body: { detail: 'Payment required' },
    },
    cut: completion('model_length', { content: 'The first half of' }),
    empty: completion('stop', { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'I wonder' }] }] }),
  },
  deepseek: {
    name: 'DeepSeek',
    too_long: openAI(
      400,
      "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens (136000 in the messages, 4000 in the completion). Please reduce the length of the messages or completion.",
      'invalid_request_error',
      'invalid_request_error',
    ),
    rate_limited: { ...openAI(429, 'Rate limit reached', 'rate_limit_reached', 'rate_limit_error'), assumed: true },
    no_credit: openAI(402, 'Insufficient Balance', 'invalid_request_error', 'unknown_error'),
    moderated: openAI(400, 'Content Exists Risk', 'invalid_request_error', 'invalid_request_error'),
    cut,
    empty: reasoningOnly,
  },
  together_ai: {
    name: 'Together',
    too_long: openAI(
      422,
      'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`',
      null,
      'invalid_request_error',
    ),
    rate_limited: openAI(
      429,
      'You have reached the rate limit specific to this model. The maximum rate limit for this model is 6.0 queries per minute.',
      null,
      'model_rate_limit',
      { 'x-ratelimit-limit': '6', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '10' },
    ),
    no_credit: openAI(
      402,
      'Credit limit exceeded, please navigate to https://api.together.ai/settings/billing to add credits',
      null,
      'credit_limit',
    ),
    cut,
    empty: completion('eos', { content: '' }),
  },
  fireworks_ai: {
    name: 'Fireworks',
    too_long: {
      status: 400,
      body: {
        error: {
          object: 'error',
          type: 'invalid_request_error',
          code: 'invalid_request_error',
          message: 'The prompt is too long: 40177, model maximum context length: 32767',
        },
      },
    },
    rate_limited: {
      status: 429,
      body: {
        error: 'Too Many Requests',
        message:
          'You have exceeded your usage limits. Please try again later or contact Fireworks to explore dedicated capacity.',
      },
    },
    no_credit: {
      status: 412,
      body: {
        error: {
          object: 'error',
          type: 'error',
          code: 'PRECONDITION_FAILED',
          message:
            'Account me is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more information.',
        },
      },
    },
    cut,
    empty,
  },
  xai: {
    name: 'xAI',
    too_long: {
      status: 400,
      body: {
        code: 'Client specified an invalid argument',
        error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
      },
    },
    rate_limited: {
      status: 429,
      body: {
        code: 'Some resource has been exhausted',
        error: "Too many requests for team x and model m. Your team's rate limit is 1 request per second.",
      },
    },
    no_credit: {
      status: 403,
      body: {
        code: 'The caller does not have permission to execute the specified operation',
        error:
          'Your team x has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.',
      },
    },
    moderated: {
      status: 403,
      body: {
        code: 'The caller does not have permission to execute the specified operation',
        error: 'Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_DATA_LEAKAGE',
      },
    },
    cut,
    empty: reasoningOnly,
  },
  cerebras: {
    name: 'Cerebras',
    too_long: {
      status: 400,
      body: {
        message: 'Please reduce the length of the messages or completion. Current length is 9123 while limit is 8192',
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    },
    rate_limited: {
      status: 429,
      headers: { 'x-ratelimit-remaining-requests-day': '900', 'x-ratelimit-reset-requests-day': '33011.38' },
      body: {
        message: 'Requests per minute limit exceeded - too many requests sent.',
        type: 'too_many_requests_error',
        param: 'quota',
        code: 'request_quota_exceeded',
      },
    },
    no_credit: {
      status: 402,
      body: {
        message: 'Payment required to access this resource. Visit your billing tab.',
        type: 'payment_required_error',
        param: 'quota',
        code: 'payment_required',
      },
    },
    cut,
    empty: completion('stop', { content: '', reasoning: 'I wonder' }),
  },
  sambanova: {
    name: 'SambaNova',
    too_long: openAI(
      400,
      'The maximum context length of DeepSeek-V3-0324 is 32768. However, answering your request will take 39732 tokens. Please reduce the length of the messages or the specified max_completion_tokens value.',
      null,
      'Error',
    ),
    rate_limited: openAI(429, 'Rate limit exceeded', null, 'rate_limit_exceeded', {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1000000007',
    }),
    cut,
    empty,
  },
  deepinfra: {
    name: 'DeepInfra',
    too_long: openAI(
      400,
      "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of 140000 tokens: 136000 tokens from the input messages and 4000 tokens for the completion.",
      null,
      'invalid_request_error',
    ),
    rate_limited: openAI(429, 'Model busy, retry later', 'engine_overloaded', 'rate_limit_error'),
    no_credit: {
      status: 402,
      body: {
        detail: { error: 'inference prohibited, please enter a payment method in https://deepinfra.com/dash/billing' },
      },
    },
    cut,
    empty: reasoningOnly,
  },
  nvidia_nim: {
    name: 'NVIDIA NIM',
    too_long: vllm(
      400,
      "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
      'BadRequestError',
    ),
    rate_limited: { status: 429, body: { status: 429, title: 'Too Many Requests' } },
    no_credit: {
      status: 402,
      body: {
        status: 402,
        title: 'Payment Required',
        detail: "Account 'x': Cloud credits expired - Please contact NVIDIA representatives",
      },
    },
    cut,
    empty: reasoningOnly,
  },
  moonshot: {
    name: 'Moonshot',
    too_long: {
      status: 400,
      body: {
        error: {
          message: 'Invalid request: Your request exceeded model token limit: 131072',
          type: 'invalid_request_error',
        },
      },
    },
    rate_limited: {
      status: 429,
      body: {
        error: {
          message: 'Your account org-x<ak-x> request reached organization max RPM: 3, please try again after 1 seconds',
          type: 'rate_limit_reached_error',
        },
      },
    },
    no_credit: {
      status: 429,
      body: {
        error: {
          message:
            'Your account org-x<ak-x> is not active, current state: suspended, please check your account balance',
          type: 'exceeded_current_quota_error',
        },
      },
    },
    moderated: {
      status: 400,
      body: {
        error: { message: 'The request was rejected because it was considered high risk', type: 'content_filter' },
      },
    },
    cut,
    empty: reasoningOnly,
  },
  dashscope: {
    name: 'DashScope',
    too_long: openAI(
      400,
      '<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]',
      'invalid_parameter_error',
      'invalid_request_error',
    ),
    rate_limited: openAI(
      429,
      'You exceeded your current quota, please check your plan and billing details. For details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit',
      'insufficient_quota',
      'insufficient_quota',
    ),
    no_credit: openAI(
      400,
      'Access denied, please make sure your account is in good standing.',
      'Arrearage',
      'Arrearage',
    ),
    moderated: openAI(
      400,
      'Input data may contain inappropriate content.',
      'data_inspection_failed',
      'data_inspection_failed',
    ),
    cut,
    empty: reasoningOnly,
  },
  azure: {
    name: 'Azure OpenAI',
    too_long: openAI(
      400,
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 130231 tokens. Please reduce the length of the messages.",
      'context_length_exceeded',
      'invalid_request_error',
    ),
    rate_limited: {
      status: 429,
      headers: { 'retry-after': '7' },
      body: {
        error: {
          code: '429',
          message:
            'Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds.',
        },
      },
    },
    moderated: {
      status: 400,
      body: {
        error: {
          message:
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
          type: null,
          param: 'prompt',
          code: 'content_filter',
          status: 400,
          innererror: {
            code: 'ResponsibleAIPolicyViolation',
            content_filter_result: { violence: { filtered: true, severity: 'medium' } },
          },
        },
      },
    },
    cut,
    empty,
  },
  litellm_proxy: {
    name: 'LiteLLM proxy',
    too_long: openAI(
      400,
      'litellm.ContextWindowExceededError: litellm.BadRequestError: this model takes fewer tokens. Received Model Group=m',
      '400',
      'invalid_request_error',
    ),
    rate_limited: openAI(
      429,
      'No deployments available for selected model, Try again in 60 seconds. Passed model=m',
      '429',
      'None',
    ),
    no_credit: openAI(400, 'Budget has been exceeded! Current cost: 0.2, Max budget: 0.1', '400', 'budget_exceeded'),
    moderated: openAI(
      400,
      "litellm.BadRequestError: litellm.ContentPolicyViolationError: litellm.ContentPolicyViolationError: AzureException - The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
      '400',
      null,
    ),
    cut,
    empty,
  },
  ollama: {
    name: 'Ollama',
    too_long: openAI(400, 'prompt too long; exceeded max context length by 1203 tokens', null, 'invalid_request_error'),
    rate_limited: openAI(503, 'server busy, please try again.  maximum pending requests exceeded', null, 'api_error'),
    cut,
    empty: completion('stop', { content: '', reasoning: 'I wonder' }),
  },
  lm_studio: {
    name: 'LM Studio',
    too_long: {
      status: 400,
      body: {
        error:
          'Trying to keep the first 5230 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input',
      },
    },
    cut,
    empty: reasoningOnly,
  },
  vllm: {
    name: 'vLLM',
    too_long: vllm(400, VLLM_TOO_LONG, 'BadRequestError'),
    rate_limited: vllm(503, 'Request queue full.', 'ServiceUnavailableError'),
    cut,
    empty: reasoningOnly,
  },
};

/** Other prefixes of the same servers. */
export const SAME_SERVER: Readonly<Record<string, string>> = { ollama_chat: 'ollama', hosted_vllm: 'vllm' };

/** Other words of the same providers for an account without credit, by prefix. */
export const OTHER_NO_CREDIT: readonly (readonly [prefix: string, answer: RecordedAnswer])[] = [
  ['groq', openAI(400, 'API access blocked.', 'blocked_api_access', 'invalid_request_error')],
  ['openai', openAI(429, 'Your organization has reached its spend limit.', 'organization_spend_limit_exceeded', null)],
  ['openai', openAI(429, 'Your project has reached its spend limit.', 'project_spend_limit_exceeded', null)],
  ['deepinfra', { status: 402, body: { detail: { error: 'You need positive balance to do inference.' } } }],
  ['deepinfra', { status: 400, body: { detail: [{ error: 'You need positive balance to do inference.' }] } }],
  [
    'gemini',
    {
      status: 402,
      body: {
        error: {
          code: 402,
          message:
            'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.',
          status: 'RESOURCE_EXHAUSTED',
        },
      },
    },
  ],
  [
    'xai',
    {
      status: 429,
      body: 'Your team x has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.',
    },
  ],
  [
    'openrouter',
    {
      status: 402,
      body: {
        error: {
          code: 402,
          message:
            'This request requires more credits, or fewer max_tokens. You requested up to 225702 tokens, but can only afford 92985.',
        },
      },
    },
  ],
];
