import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseTemporal, connect, type TemporalTarget } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { dial, type Dialed } from '../../src/temporal/dial.ts';
import { testCacheDirectory } from './fixtures.ts';
import { makeCertificates, startTlsFront, type Certificates, type TlsFront } from './tls-front.ts';

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('skipped: there is no openssl to make certificates with');
    return false;
  }
})();

/** Real handshakes, with a real Temporal server behind: of gRPC's client, and of the core that workers poll with. */
describe.skipIf(!hasOpenssl)('TLS', { concurrent: true }, () => {
  const state = mkdtempSync(join(tmpdir(), 'rlm-tls-state-'));
  let server: DevServer;
  let plain: Dialed;
  let certificates: Certificates;
  let open: TlsFront;
  let mutual: TlsFront;
  let cloud: TlsFront;

  beforeAll(async () => {
    server = await startOrAttachDevServer({ stateDirectory: state, cacheDirectory: testCacheDirectory() });
    certificates = makeCertificates();
    plain = await dial(server.address);
    open = await startTlsFront(certificates, plain.address);
    mutual = await startTlsFront(certificates, plain.address, { clientCertificate: true });
    cloud = await startTlsFront(certificates, plain.address, { apiKey: 'right-key' });
  });
  afterAll(async () => {
    await Promise.all([open, mutual, cloud].map((front) => front.close()));
    await plain.close();
    await server.release({ wait: true });
    certificates.remove();
    rmSync(state, { recursive: true, force: true });
  });

  /** By `TEMPORAL_*` variables. */
  function chosen(front: TlsFront, variables: Readonly<Record<string, string>>): TemporalTarget {
    const env = { TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml', TEMPORAL_ADDRESS: front.address, ...variables };
    const target = chooseTemporal({ env });
    if (target === undefined) throw new Error('no server was chosen');
    return target;
  }

  const trusting = (): Record<string, string> => ({
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificates.path('ca.crt'),
    TEMPORAL_TLS_SERVER_NAME: 'temporal.test',
  });
  const asClient = (name: string): Record<string, string> => ({
    ...trusting(),
    TEMPORAL_TLS_CLIENT_CERT_PATH: certificates.path(`${name}.crt`),
    TEMPORAL_TLS_CLIENT_KEY_PATH: certificates.path(`${name}.key`),
  });

  /** Client and worker both get through. */
  async function works(target: TemporalTarget): Promise<void> {
    const temporal = await connect(target);
    try {
      const worker = await temporal.connectWorker();
      await worker.workflowService.getSystemInfo({});
      await worker.close();
    } finally {
      await temporal.close();
    }
  }

  describe('a connection comes about', { concurrent: true }, () => {
    test('with an authority of its own', () => works(chosen(open, trusting())));

    test('with a client certificate', () => works(chosen(mutual, asClient('client'))));

    test('with an API key, as Temporal Cloud takes it', () =>
      works(chosen(cloud, { ...trusting(), TEMPORAL_API_KEY: 'right-key' })));

    test('by a profile, which names files, or holds what is in them', async () => {
      const file = join(certificates.folder, 'temporal.toml');
      const profile = `
        [profile.files]
        address = "${mutual.address}"
        [profile.files.tls]
        server_name = "temporal.test"
        server_ca_cert_path = "${certificates.path('ca.crt')}"
        client_cert_path = "${certificates.path('client.crt')}"
        client_key_path = "${certificates.path('client.key')}"
        [profile.data]
        address = "${mutual.address}"
        [profile.data.tls]
        server_name = "temporal.test"
        server_ca_cert_data = """${certificates.read('ca.crt').toString()}"""
        client_cert_data = """${certificates.read('client.crt').toString()}"""
        client_key_data = """${certificates.read('client.key').toString()}"""
      `;
      writeFileSync(file, profile);
      for (const name of ['files', 'data']) {
        const target = chooseTemporal({ env: { TEMPORAL_CONFIG_FILE: file }, profile: name });
        await works(target as TemporalTarget);
      }
    });
  });

  describe('an API key turns TLS on by itself', () => {
    test('unless TLS is turned off', () => {
      expect(chosen(cloud, { TEMPORAL_API_KEY: 'k' }).options).toMatchObject({ apiKey: 'k', tls: true });
      expect(chosen(cloud, { TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' }).options.tls).toBe(false);
    });
  });

  describe('within 10 s it is said what to do about', { concurrent: true }, () => {
    const cases: readonly [string, () => TemporalTarget, RegExp][] = [
      [
        'a server of an unknown authority',
        () => chosen(open, { TEMPORAL_TLS: 'true', TEMPORAL_TLS_SERVER_NAME: 'temporal.test' }),
        /no authority that is trusted.*TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
      ],
      [
        'the wrong authority',
        () => chosen(open, { ...trusting(), TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificates.path('stranger-ca.crt') }),
        /no authority that is trusted.*TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
      ],
      [
        'a server of another name',
        () => chosen(open, { ...trusting(), TEMPORAL_TLS_SERVER_NAME: 'other.test' }),
        /another name.*TEMPORAL_TLS_SERVER_NAME/,
      ],
      ['a client certificate that is missing', () => chosen(mutual, trusting()), /TEMPORAL_TLS_CLIENT_CERT_PATH/],
      [
        'a client certificate of a stranger',
        () => chosen(mutual, asClient('stranger')),
        /TEMPORAL_TLS_CLIENT_CERT_PATH/,
      ],
      [
        'a key that does not belong to the certificate',
        () =>
          chosen(mutual, { ...asClient('client'), TEMPORAL_TLS_CLIENT_KEY_PATH: certificates.path('stranger.key') }),
        /certificates cannot be used.*key values mismatch/,
      ],
      [
        'a certificate that is none',
        () => chosen(mutual, { ...asClient('client'), TEMPORAL_TLS_CLIENT_CERT_PATH: certificates.path('names') }),
        /certificates cannot be used/,
      ],
      ['a server with TLS, asked without', () => chosen(open, {}), /it speaks TLS\. Set TEMPORAL_TLS=true/],
      [
        'a server without TLS, asked with it',
        () => chosen({ ...open, address: plain.address }, trusting()),
        /does not speak TLS\. Set TEMPORAL_TLS=false/,
      ],
      [
        'a wrong API key',
        () => chosen(cloud, { ...trusting(), TEMPORAL_API_KEY: 'wrong-key' }),
        /refuses access to the namespace.*TEMPORAL_API_KEY/,
      ],
      ['no API key', () => chosen(cloud, trusting()), /No API key was given.*TEMPORAL_API_KEY/],
    ];
    for (const [what, target, message] of cases) {
      test(what, { timeout: 10_000 }, async ({ expect: expectHere }) => {
        const error: unknown = await connect(target()).catch((failure: unknown) => failure);
        expectHere(error).toMatchObject({ name: 'TemporalSetupError' });
        expectHere((error as Error).message).toMatch(message);
        expectHere((error as Error).message).not.toContain('wrong-key');
      });
    }

    test('a certificate without its key, or a file that is not there, before anything is asked', ({
      expect: expectHere,
    }) => {
      const { TEMPORAL_TLS_CLIENT_KEY_PATH: _, ...half } = asClient('client');
      expectHere(() => chosen(mutual, half)).toThrow(/only one is named.*client_key_path/);
      expectHere(() => chosen(mutual, { ...trusting(), TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nonexistent/ca' })).toThrow(
        /cannot be used: .*\/nonexistent\/ca/,
      );
    });
  });
});
