import { connect as connectSocket, isIP } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions } from 'node:tls';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { unixSocketPath } from './unix-relay.ts';

interface Target {
  readonly address: string;
  readonly tls?: ClientConnectConfig['connectionOptions']['tls'] | undefined;
}

/** Milliseconds a look takes at most. */
const LOOK = 1500;
/** What a client of HTTP/2 says first, with empty settings: a server that accepts the connection answers. */
const PREFACE = Buffer.from('505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000', 'hex');

/**
 * Why no connection to an address comes about, with what to do about it, where the network or TLS says more than
 * gRPC does, which only says that its time was up. Undefined when a connection does come about, or nothing is known in time.
 */
export async function networkFault({ address, tls }: Target): Promise<string | undefined> {
  const path = unixSocketPath(address);
  if (path !== undefined) return socketFault({ path });
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return 'it is no address of the form host:port or unix:///path';
  const place = { host, port: Number(port ?? 7233) };
  const fault = await socketFault(place);
  if (fault !== undefined) return fault;
  if (tls !== undefined && tls !== null && tls !== false) return handshakeFault(place, tls === true ? {} : tls);
  return (await speaksTls(place)) ? 'it speaks TLS. Set TEMPORAL_TLS=true, or tls in the profile' : undefined;
}

function socketFault(place: { host: string; port: number } | { path: string }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectSocket({ ...place, timeout: LOOK });
    const settle = (fault: string | undefined): void => {
      socket.destroy();
      resolve(fault);
    };
    socket.once('connect', () => settle(undefined));
    socket.once('timeout', () => settle(undefined));
    socket.once('error', (error) => settle(error.message));
  });
}

type TlsOptions = Exclude<NonNullable<Target['tls']>, boolean>;

function handshakeFault(
  place: { host: string; port: number },
  { serverNameOverride, serverRootCACertificate: ca, clientCertPair: pair }: TlsOptions,
): Promise<string | undefined> {
  let options: ConnectionOptions;
  try {
    const secureContext = createSecureContext({
      ...(ca === undefined || ca === null ? {} : { ca: Buffer.from(ca) }),
      ...(pair === undefined || pair === null ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
    });
    const servername = serverNameOverride ?? (isIP(place.host) === 0 ? place.host : '');
    options = { ...place, secureContext, servername, ALPNProtocols: ['h2'], timeout: LOOK };
  } catch (error) {
    return Promise.resolve(`the certificates cannot be used: ${messageOf(error)}. Correct their files`);
  }
  return new Promise((resolve) => {
    const socket = connectTls(options);
    const settle = (fault: string | undefined): void => {
      socket.destroy();
      resolve(fault);
    };
    // Under TLS 1.3 a server refuses a client's certificate after the client's handshake has ended.
    socket.once('secureConnect', () => socket.write(PREFACE));
    socket.once('data', () => settle(undefined));
    socket.once('timeout', () => settle(undefined));
    socket.once('end', () => settle(CERTIFICATE_WANTED));
    socket.once('error', (error) => settle(explainHandshake(error)));
  });
}

const CERTIFICATE_WANTED =
  'it ends the connection after the handshake, as a server does that demands a client certificate it knows. ' +
  'Set tls.client_cert_path and tls.client_key_path (TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH)';

function explainHandshake(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name (${error.message}). Set tls.server_name (TEMPORAL_TLS_SERVER_NAME)`;
  if (/SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED|CERT_SIGNATURE/.test(code))
    return `its certificate is of no authority that is trusted here (${code}). Name its CA in tls.server_ca_cert_path (TEMPORAL_TLS_SERVER_CA_CERT_PATH)`;
  if (/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/.test(code))
    return `its certificate is out of date (${code}). Renew it, or set the clock of this machine`;
  if (/ALERT/.test(code))
    return `it refuses the client certificate (${code.replace(/^ERR_SSL_/, '')}). Set tls.client_cert_path and tls.client_key_path (TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH) to one that it knows`;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code))
    return 'it does not speak TLS. Set TEMPORAL_TLS=false, or tls.disabled in the profile';
  if (code === 'ECONNRESET') return CERTIFICATE_WANTED;
  return messageOf(error);
}

/** Whether something like TLS comes back, a certificate or an alert. */
function speaksTls(place: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent over it: whose certificate it is does not matter here.
    const socket = connectTls({ ...place, rejectUnauthorized: false, ALPNProtocols: ['h2'], timeout: LOOK });
    const settle = (speaks: boolean): void => {
      socket.destroy();
      resolve(speaks);
    };
    socket.once('secureConnect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(/^ERR_SSL_.*ALERT/.test(error.code ?? '')));
  });
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().replace(/\.$/, '');
}
