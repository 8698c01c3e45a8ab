/** How an OpenAI-compatible provider is reached. Prefixes and variables are LiteLLM's. */
export interface ProviderDefinition {
  /** Undefined where every customer has another; `model.base_url` or a variable must then say it. */
  readonly baseUrl?: string;
  /** Environment variables that hold another base URL, the first that is set counts. */
  readonly baseUrlVariables?: readonly string[];
  /** Environment variables for the key, the first that is set counts; `LLM_API_KEY` comes after them. */
  readonly keyVariables: readonly string[];
  /** Servers of one's own usually want no key. */
  readonly keyOptional?: true;
  /** Its replies say what they cost; or it runs on a machine of one's own. Default: what calls cost is not known. */
  readonly costs?: 'reported' | 'nothing';
  /** What the API calls the longest reply. Default `max_tokens`. */
  readonly maxTokensField?: 'max_completion_tokens';
  /** Added to each request's body. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** From the name after the prefix to the name the API wants. Default: as it is. */
  readonly modelName?: (name: string) => string;
  /** Path below the base URL whose answer tells whether the key is good. Default `models`. */
  readonly keyCheckPath?: string;
  /** Its list of models is for everybody, so it says nothing about a key. */
  readonly publicModels?: true;
}

const VLLM: ProviderDefinition = {
  baseUrl: 'http://localhost:8000/v1',
  baseUrlVariables: ['HOSTED_VLLM_API_BASE'],
  keyVariables: ['HOSTED_VLLM_API_KEY'],
  keyOptional: true,
  costs: 'nothing',
};

const OLLAMA: ProviderDefinition = {
  baseUrl: 'http://localhost:11434/v1',
  baseUrlVariables: ['OLLAMA_API_BASE'],
  keyVariables: ['OLLAMA_API_KEY'],
  keyOptional: true,
  costs: 'nothing',
};

/** By the prefix of `model.name`. */
export const PROVIDERS: Readonly<Record<string, ProviderDefinition>> = {
  openrouter: {
    baseUrl: 'https://openrouter.ai/api/v1',
    keyVariables: ['OPENROUTER_API_KEY'],
    // Today it reports the cost unasked; it once had to be asked, and the question does no harm.
    body: { usage: { include: true } },
    costs: 'reported',
    // Its list of models is public, so it says nothing about the key.
    keyCheckPath: 'key',
  },
  openai: {
    baseUrl: 'https://api.openai.com/v1',
    baseUrlVariables: ['OPENAI_BASE_URL', 'OPENAI_API_BASE'],
    keyVariables: ['OPENAI_API_KEY'],
    // Its reasoning models refuse `max_tokens`.
    maxTokensField: 'max_completion_tokens',
  },
  anthropic: { baseUrl: 'https://api.anthropic.com/v1', keyVariables: ['ANTHROPIC_API_KEY'] },
  gemini: {
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    keyVariables: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  },
  groq: { baseUrl: 'https://api.groq.com/openai/v1', keyVariables: ['GROQ_API_KEY'] },
  mistral: { baseUrl: 'https://api.mistral.ai/v1', keyVariables: ['MISTRAL_API_KEY'] },
  deepseek: { baseUrl: 'https://api.deepseek.com/v1', keyVariables: ['DEEPSEEK_API_KEY'] },
  together_ai: {
    baseUrl: 'https://api.together.xyz/v1',
    keyVariables: ['TOGETHERAI_API_KEY', 'TOGETHER_API_KEY', 'TOGETHER_AI_API_KEY'],
  },
  fireworks_ai: {
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    keyVariables: ['FIREWORKS_API_KEY', 'FIREWORKS_AI_API_KEY'],
    modelName: (name) => (name.includes('/') ? name : `accounts/fireworks/models/${name}`),
  },
  xai: { baseUrl: 'https://api.x.ai/v1', keyVariables: ['XAI_API_KEY'] },
  cerebras: { baseUrl: 'https://api.cerebras.ai/v1', keyVariables: ['CEREBRAS_API_KEY'] },
  sambanova: { baseUrl: 'https://api.sambanova.ai/v1', keyVariables: ['SAMBANOVA_API_KEY'], publicModels: true },
  deepinfra: {
    baseUrl: 'https://api.deepinfra.com/v1/openai',
    keyVariables: ['DEEPINFRA_API_KEY'],
    publicModels: true,
  },
  nvidia_nim: {
    baseUrl: 'https://integrate.api.nvidia.com/v1',
    keyVariables: ['NVIDIA_NIM_API_KEY'],
    publicModels: true,
  },
  moonshot: { baseUrl: 'https://api.moonshot.ai/v1', keyVariables: ['MOONSHOT_API_KEY'] },
  dashscope: {
    baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    keyVariables: ['DASHSCOPE_API_KEY'],
  },
  azure: {
    baseUrlVariables: ['AZURE_API_BASE'],
    keyVariables: ['AZURE_API_KEY', 'AZURE_OPENAI_API_KEY'],
    maxTokensField: 'max_completion_tokens',
  },
  litellm_proxy: {
    baseUrlVariables: ['LITELLM_PROXY_API_BASE'],
    keyVariables: ['LITELLM_PROXY_API_KEY'],
    keyOptional: true,
  },
  ollama: OLLAMA,
  ollama_chat: OLLAMA,
  lm_studio: {
    baseUrl: 'http://localhost:1234/v1',
    baseUrlVariables: ['LM_STUDIO_API_BASE'],
    keyVariables: ['LM_STUDIO_API_KEY'],
    keyOptional: true,
    costs: 'nothing',
  },
  hosted_vllm: VLLM,
  vllm: VLLM,
};

/** Serves any provider whose own variable is not set. */
export const ANY_PROVIDER_KEY = 'LLM_API_KEY';
