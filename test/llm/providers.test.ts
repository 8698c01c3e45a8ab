import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { TypedError } from '../../src/domain/failures.ts';
import type { ChatReply } from '../../src/llm/chat-model.ts';
import { createChatModels } from '../../src/llm/openai-chat-models.ts';
import { PROVIDERS } from '../../src/llm/providers.ts';
import { startScriptedModel, type ScriptedModel, type ScriptedReply } from '../../src/testing/index.ts';
import {
  OTHER_NO_CREDIT,
  PROVIDER_ANSWERS,
  SAME_SERVER,
  type ProviderAnswers,
  type RecordedAnswer,
} from './provider-answers.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/providers.md', import.meta.url));

let scripted: ScriptedModel | undefined;
afterEach(async () => {
  await scripted?.close({ check: false });
  scripted = undefined;
});

function played({ status = 200, headers = {}, body }: RecordedAnswer): ScriptedReply {
  if (status === 200) return { raw: JSON.stringify(body) };
  return { error: { status, headers, body } };
}

/** What the client makes of an answer that comes over HTTP: a reply or a failure. */
async function receive(prefix: string, answer: RecordedAnswer): Promise<ChatReply | TypedError> {
  scripted = await startScriptedModel({ scripts: () => played(answer) });
  const name = `${prefix}/m`;
  const models = createChatModels({
    model: { name, timeout: 30, max_attempts: 10, check: true, base_url: scripted.url },
    env: { LLM_API_KEY: 'a-key-for-all-of-them' },
    host: 'here',
  });
  const request = {
    purpose: 'turn',
    model: name,
    messages: [{ role: 'user', content: 'hello' }],
    idempotencyKey: 'k',
  } as const;
  const outcome: unknown = await models
    .complete(request, new AbortController().signal)
    .catch((error: unknown) => error);
  if (outcome instanceof Error && !(outcome instanceof TypedError)) throw outcome;
  return outcome as ChatReply | TypedError;
}

/** The longest text in an error's body: the provider's own words. */
function wordsOf(body: unknown): string {
  if (typeof body === 'string') return body.replaceAll(/\s+/g, ' ').trim();
  if (typeof body !== 'object' || body === null) return '';
  return Object.entries(body)
    .filter(([name]) => !['@type', 'type', 'code', 'status', 'flagged_input'].includes(name))
    .map(([, value]) => wordsOf(value))
    .reduce((longest, text) => (text.length > longest.length ? text : longest), '');
}

const providers = Object.entries(PROVIDER_ANSWERS);
const having = (
  aspect: 'rate_limited' | 'no_credit' | 'moderated',
): readonly (readonly [prefix: string, answer: RecordedAnswer])[] =>
  providers.flatMap(([prefix, { [aspect]: answer }]) => (answer === undefined ? [] : [[prefix, answer] as const]));

it('every provider of the configuration is in the table', () => {
  const known = [...Object.keys(PROVIDER_ANSWERS), ...Object.keys(SAME_SERVER)];
  expect(known.toSorted()).toEqual(Object.keys(PROVIDERS).toSorted());
});

describe('a conversation that is too long', () => {
  it.each(providers)("%s: compaction, with the provider's words", async (prefix, { too_long }) => {
    const failure = await receive(prefix, too_long);
    expect(failure).toMatchObject({ type: 'Model.ContextLength' });
    expect((failure as TypedError).message).toContain(wordsOf(too_long.body).replace(/\.$/, ''));
  });
});

describe('a rate limit', () => {
  it.each(having('rate_limited'))('%s: asked again', async (prefix, answer) => {
    const failure = await receive(prefix, answer);
    expect(failure).toBeInstanceOf(TypedError);
    expect((failure as TypedError).type).toBe(answer.status === 503 ? 'Model.Unavailable' : 'Model.RateLimited');
    expect((failure as TypedError).message).toContain(wordsOf(answer.body).replace(/\.$/, ''));
  });

  it.each<[string, number]>([
    ['openai', 20_000],
    ['anthropic', 12_000],
    ['gemini', 34_000],
    ['groq', 12_000],
    ['together_ai', 10_000],
    ['moonshot', 1000],
    ['azure', 7000],
    ['litellm_proxy', 60_000],
  ])('%s says for how long: %d ms', async (prefix, wait) => {
    const { rate_limited } = PROVIDER_ANSWERS[prefix] as Required<ProviderAnswers>;
    expect(await receive(prefix, rate_limited)).toMatchObject({ retryAfterMs: wait });
  });

  it('a limit of the day that is not used up is not what is waited for', async () => {
    const { rate_limited } = PROVIDER_ANSWERS['cerebras'] as Required<ProviderAnswers>;
    expect(await receive('cerebras', rate_limited)).not.toHaveProperty('retryAfterMs');
  });
});

describe('no credit', () => {
  it.each([...having('no_credit'), ...OTHER_NO_CREDIT])(
    '%s: a refusal that a person has to end',
    async (prefix, answer) => {
      const failure = await receive(prefix, answer);
      expect(failure).toMatchObject({ type: 'Model.Refused' });
      expect(failure).not.toHaveProperty('retryAfterMs');
      expect((failure as TypedError).message).toContain(wordsOf(answer.body).replace(/\.$/, ''));
    },
  );
});

describe('moderation', () => {
  it.each(having('moderated'))('%s: of this prompt only', async (prefix, answer) => {
    const outcome = await receive(prefix, answer);
    if (answer.status === undefined) expect(outcome).toMatchObject({ finish_reason: 'content_filter', text: '' });
    else {
      expect(outcome).toMatchObject({ type: 'Model.Moderated' });
      expect((outcome as TypedError).message).toContain(wordsOf(answer.body).replace(/\.$/, ''));
    }
  });

  it("carries the router's reasons", async () => {
    const { moderated } = PROVIDER_ANSWERS['openrouter'] as Required<ProviderAnswers>;
    expect(inspect(await receive('openrouter', moderated))).toContain('reasons: violence');
  });
});

describe('an answer', () => {
  it.each(providers)('%s: cut at the output limit', async (prefix, { cut }) => {
    expect(await receive(prefix, cut)).toMatchObject({ finish_reason: 'length', text: 'The first half of' });
  });

  it.each(providers)('%s: empty', async (prefix, { empty }) => {
    expect(await receive(prefix, empty)).toMatchObject({ finish_reason: 'stop', text: '' });
  });
});

/** What docs/providers.md shows of an answer: what a program tells it by, and the beginning of what a person reads. */
function cell(answer: RecordedAnswer | undefined): string {
  if (answer === undefined) return '';
  const { status = 200, body, assumed } = answer;
  if (status === 200) return choiceCell(body);
  const words = wordsOf(body).replaceAll('|', '\\|').replaceAll('<', '&lt;');
  const shown = words.length <= 90 ? words : `${words.slice(0, 87).trimEnd()}...`;
  return `${status}: ${shown}${assumed === true ? ' \\*' : ''}`;
}

function choiceCell(body: unknown): string {
  const [choice] = (body as { choices: { finish_reason: string; message?: Record<string, unknown> }[] }).choices;
  const reason = `\`${choice?.finish_reason}\``;
  if (choice?.message === undefined) return `${reason}, no message`;
  const { role: _role, content, ...rest } = choice.message;
  if (typeof content === 'string' && content !== '') return reason;
  const instead = Object.keys(rest).map((name) => `\`${name}\``);
  const said = content === undefined ? 'no content' : `content \`${JSON.stringify(content).slice(0, 24)}\``;
  return [reason, said, ...instead].join(', ');
}

it('docs/providers.md shows what was played', async () => {
  const rows = providers.map(([prefix, { name, too_long, rate_limited, no_credit, moderated, cut, empty }]) => {
    const same = Object.entries(SAME_SERVER).flatMap(([other, server]) =>
      server === prefix ? [`, \`${other}/\``] : [],
    );
    const cells = [too_long, rate_limited, no_credit, moderated, cut, empty].map(cell);
    return [`${name} (\`${prefix}/\`${same.join('')})`, ...cells].join(' | ');
  });
  const head = ['Provider', 'Too long', 'Rate limited', 'Out of credit', 'Moderated', 'Cut', 'Empty'];
  const table = [head.join(' | '), head.map(() => '---').join(' | '), ...rows].map((row) => `| ${row} |\n`).join('');
  const document = await readFile(DOCUMENT, 'utf8');
  const part = /(<!-- answers: .*? -->\n)[^]*?(<!-- end of answers -->)/;
  expect(document).toMatch(part);
  const written = document.replace(part, (_, begin: string, end: string) => `${begin}\n${table}\n${end}`);
  await expect(written).toMatchFileSnapshot(DOCUMENT);
});
