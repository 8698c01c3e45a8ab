import { describe, expect, it } from 'vitest';
import { acceptedGrant, acceptedRequest, acceptedSettlement } from '../../src/domain/budget-messages.ts';

const FROM = { id: '0:1:x', from: 'run/0' };
const NONE = [undefined, null, 5, 'text', [], {}, { id: 1, from: 'run/0' }, { id: 'x', from: 'other/0' }, { id: 'x' }];
const WRONG_AMOUNTS = [
  { sandboxes: -1 },
  { llm_calls: 0.5 },
  { model_calls: '1' },
  { sandboxes: null },
  { llm_calls: NaN },
];

describe('a message to or from a budget', () => {
  it.each([{}, { sandboxes: 2 }, { llm_calls: 10, model_calls: 0 }])('asks for amounts: %j', (amounts) => {
    expect(acceptedRequest({ ...FROM, ...amounts }, 'run')).toEqual({ ...FROM, ...amounts });
  });

  it.each([{}, { unused: { sandboxes: 1 } }, { paid: { model_calls: 1, usd: 0.25 } }, { withdraw: 'x' }])(
    'says what became of them: %j',
    (outcome) => {
      expect(acceptedSettlement({ ...FROM, ...outcome }, 'run')).toEqual({ ...FROM, ...outcome });
    },
  );

  it('that is none is left out, also where it comes from elsewhere', () => {
    for (const message of [...NONE, ...WRONG_AMOUNTS.map((amounts) => ({ ...FROM, ...amounts }))])
      expect(acceptedRequest(message, 'run')).toBeUndefined();
    const wrong = [...WRONG_AMOUNTS.map((unused) => ({ unused })), { unused: 1 }, { withdraw: 1 }, { paid: {} }];
    const costs = [-1, Infinity, '1', undefined].map((usd) => ({ paid: { model_calls: 1, usd } }));
    for (const message of [...NONE, ...[...wrong, ...costs].map((outcome) => ({ ...FROM, ...outcome }))])
      expect(acceptedSettlement(message, 'run')).toBeUndefined();
    const grant = { id: 'x', sandboxes: 1, llm_calls: 0, model_calls: 0, limits: {} };
    expect(acceptedGrant(grant)).toEqual(grant);
    for (const message of [...NONE, { ...grant, sandboxes: -1 }, { ...grant, limits: undefined }])
      expect(acceptedGrant(message)).toBeUndefined();
  });
});
