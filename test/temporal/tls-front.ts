import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  connect,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  readonly folder: string;
  /** Path of a file such as `ca.crt`, `server.key`, `client.crt`, `stranger.crt`. */
  path(file: string): string;
  read(file: string): Buffer;
  remove(): void;
}

/** An authority, a certificate for a server called temporal.test, one for a client, and those of a stranger. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-tls-'));
  const openssl = (...command: string[]): void => {
    execFileSync('openssl', command, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const authority of ['ca', 'stranger-ca'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${authority}.key`,
      '-out',
      `${authority}.crt`,
      '-days',
      '2',
      '-subj',
      `/CN=${authority}`,
    );
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:temporal.test\n');
  const signed = (name: string, authority: string): void => {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const by = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`, '-days', '2', '-extfile', 'names');
  };
  signed('server', 'ca');
  signed('client', 'ca');
  signed('stranger', 'stranger-ca');
  const path = (file: string): string => join(folder, file);
  return {
    folder,
    path,
    read: (file) => readFileSync(path(file)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface TlsFront {
  readonly address: string;
  close(): Promise<void>;
}

/** TLS in front of a server without: it may demand a client certificate, and an API key as Temporal Cloud does. */
export async function startTlsFront(
  certificates: Certificates,
  behind: string,
  { clientCertificate = false, apiKey }: { clientCertificate?: boolean; apiKey?: string } = {},
): Promise<TlsFront> {
  const server = createSecureServer({
    key: certificates.read('server.key'),
    cert: certificates.read('server.crt'),
    ca: certificates.read('ca.crt'),
    requestCert: clientCertificate,
    rejectUnauthorized: clientCertificate,
  });
  const onward = connect(`http://${behind}`);
  server.on('stream', (stream, headers) => {
    if (apiKey !== undefined && headers.authorization !== `Bearer ${apiKey}`) return refuse(stream);
    pass(stream, headers);
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  await listen(server);
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const session of sessions) session.destroy();
      onward.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const ofThisSide = new Set([':scheme', ':authority']);
    const request = onward.request(
      Object.fromEntries(Object.entries(headers).filter(([name]) => !ofThisSide.has(name))),
    );
    request.on('response', (answer, flags) => {
      // An answer that is headers only has its status in them.
      const only = (flags & 1) !== 0;
      stream.respond(answer, { waitForTrailers: !only, endStream: only });
    });
    let trailers: IncomingHttpHeaders = {};
    request.on('trailers', (given) => {
      trailers = given;
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    for (const end of [request, stream]) end.on('error', () => end.destroy());
    stream.on('close', () => request.close());
    stream.pipe(request).pipe(stream);
  }
}

function refuse(stream: ServerHttp2Stream): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7', 'grpc-message': 'Request unauthorized.' },
    { endStream: true },
  );
}

function listen(server: Http2SecureServer): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
