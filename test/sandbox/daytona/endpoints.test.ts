import { describe, expect, it } from 'vitest';
import { sized, sizedCases } from '../../sizes.ts';
import { CREATE, untilNothingIsLeft, wholeLife, withTrouble } from './trouble.ts';
import { rigIsHere, type Fault } from './rig.ts';

/** One for each request that a sandbox's life is made of. */
const EVERY_ENDPOINT: readonly Fault[] = [
  CREATE,
  { kind: 'api', method: 'GET', path: '/sandbox$' },
  { kind: 'api', method: 'GET', path: '/sandbox/[^/]+$' },
  { kind: 'api', method: 'DELETE', path: '/sandbox/[^/]+$' },
  { kind: 'api', method: 'GET', path: '/ports/\\d+/preview-url$' },
  { kind: 'api', method: 'POST', path: '/last-activity$' },
  { kind: 'toolbox', method: 'POST', path: '/files/bulk-upload$' },
  { kind: 'toolbox', method: 'POST', path: '/process/session$' },
  { kind: 'toolbox', method: 'POST', path: '/process/session/[^/]+/exec$' },
  { kind: 'preview', method: 'GET', path: '/v1/info' },
  { kind: 'preview', method: 'GET', path: '/v1/events' },
  { kind: 'preview', method: 'GET', path: '/v1/output' },
  { kind: 'preview', method: 'POST', path: '/v1/setup' },
  { kind: 'preview', method: 'POST', path: '/v1/exec' },
  { kind: 'preview', method: 'POST', path: '/v1/renew' },
  { kind: 'preview', method: 'POST', path: '/v1/process' },
];

describe.runIf(rigIsHere()).concurrent('every endpoint of Daytona in turn', () => {
  const trouble = withTrouble();

  const faults: readonly [string, Omit<Fault, 'kind'>][] = [
    ['has no more requests left (429)', { status: 429, headers: { 'retry-after-sandbox-create': '0.3' } }],
    ['fails (500)', { status: 500 }],
    ['is behind a gateway that finds nobody (502)', { status: 502 }],
    ['is cut off', { reset: true }],
    ['does its work, and its answer is lost', { reset: true, after: true }],
  ];
  it.each(sizedCases(['has no more requests left (429)', 'does its work, and its answer is lost'], faults))(
    '%s, and is asked again',
    async (_, fault) => {
      await trouble(async (given) => {
        await given.rig.inject(...EVERY_ENDPOINT.map((endpoint) => ({ ...endpoint, ...fault })));
        await wholeLife(given);
        expect(await given.rig.clearFaults()).toEqual(EVERY_ENDPOINT.map(() => 1));
      })();
    },
  );

  it.each([CREATE, ...EVERY_ENDPOINT.filter(({ kind }) => kind === 'toolbox').slice(sized(-1, 0))])(
    'fails for good ($kind $path): a clear error in time',
    async (endpoint) => {
      await trouble(async ({ rig, provider, request }) => {
        await rig.inject({ ...endpoint, status: 500, count: -1 });
        await expect(provider.create(request({ create_timeout: 8 }))).rejects.toMatchObject({
          type: 'Sandbox.Unavailable',
          message: expect.stringMatching(/injected fault 500.*create_timeout/),
        });
        await untilNothingIsLeft(rig);
      })();
    },
  );

  it(
    'answers over a slow line: 200 ms more for everything',
    trouble(async (given) => {
      const kinds = ['api', 'toolbox', 'preview'] as const;
      await given.rig.inject(...kinds.map((kind) => ({ kind, delayMs: 200, count: -1 })));
      await wholeLife(given);
    }),
  );
});
