import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

/** The `storage` section of the configuration, for `driver: s3`. */
export interface S3Place {
  readonly bucket: string;
  /** Default: none. */
  readonly prefix?: string;
  /** Of an S3-compatible store. Default: AWS's, or what `AWS_ENDPOINT_URL_S3` says. */
  readonly endpoint?: string;
  /** Default: the environment's or profile's; `us-east-1` with an endpoint, where it mostly means nothing. */
  readonly region?: string;
  /** Whether the bucket's name stands in the path rather than the host. Default: with an endpoint. */
  readonly pathStyle?: boolean;
}

/** Milliseconds until the answer to a request for a small object must begin. */
export const SMALL_REQUEST_TIME = 20_000;
/** The same where up to a part of a large blob has to go up before: 1.1 Mbit/s will do. */
const PART_REQUEST_TIME = 60_000;
const CONNECT_TIME = 5000;
/** Milliseconds without a byte after which a connection is given up. */
const SILENCE = 30_000;
/** Connections; the rest waits for one. */
const CONNECTIONS = 100;

export function createS3Client(place: S3Place, env: NodeJS.ProcessEnv, attempts: number): S3Client {
  const { endpoint } = place;
  const region =
    place.region ??
    (env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || (endpoint && !env['AWS_PROFILE'] && 'us-east-1'));
  return new S3Client({
    ...credentials(env),
    ...(endpoint ? { endpoint } : { followRegionRedirects: true }),
    ...(region ? { region } : {}),
    forcePathStyle: place.pathStyle ?? Boolean(endpoint),
    maxAttempts: attempts,
    retryMode: 'standard',
    // Every blob is checked by its own hash when it is read, and what goes up is signed with its SHA-256. The CRC32 that
    // the SDK would add is not understood by every S3-compatible store.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIME,
      requestTimeout: PART_REQUEST_TIME,
      throwOnRequestTimeout: true,
      socketTimeout: SILENCE,
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS },
    },
  });
}

/** Where requests go, if not to AWS. */
export function endpointOf({ endpoint }: S3Place, env: NodeJS.ProcessEnv): string | undefined {
  return endpoint ?? (env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined);
}

/**
 * Keys that the environment holds, which may come from a `.env` file that the SDK does not know; else its own chain:
 * a profile, single sign-on, a web identity, the role of a container or machine.
 */
function credentials(env: NodeJS.ProcessEnv): Pick<S3ClientConfig, 'credentials' | 'profile'> {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = env['AWS_SESSION_TOKEN'];
  if (accessKeyId && secretAccessKey)
    return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } };
  const profile = env['AWS_PROFILE'];
  return profile ? { profile } : {};
}
