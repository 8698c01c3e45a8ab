import { TypedError } from '../domain/failures.ts';
import type { S3Place } from './s3-client.ts';

/** What of the SDK's errors is looked at. Their messages are not passed on: they may quote what was sent. */
interface Fault {
  readonly name: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
}

const KEYS_REFUSED = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'TokenRefreshRequired',
  // Versity's gateway.
  'XAdminUserNotFound',
]);
const WRONG_REGION = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);
const LATE = new Set(['TimeoutError', 'AbortError', 'RequestTimeout', 'ETIMEDOUT']);

/** No object of that key. By its name and not by 404 alone, which also is what some stores say to a wrong access key. */
export function isAbsent(error: unknown): boolean {
  const { name } = faultOf(error);
  return name === 'NoSuchKey' || name === 'NotFound';
}

/**
 * A conditional write that was not done: the object has another ETag (412), there is none (404), or another conditional
 * write was under way (409).
 */
export function isRefusedCondition(error: unknown): boolean {
  const { name, status } = faultOf(error);
  return status === 412 || status === 409 || name === 'NoSuchKey';
}

/** A failure of S3 with what to do about it; typed errors and those of other things are left as they are. */
export function asUnavailable(error: unknown, place: S3Place): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error instanceof TypedError || !isOfStorage(error)) return error;
  const store = `the bucket ${place.bucket}${place.endpoint === undefined ? '' : ` at ${originOf(place.endpoint)}`}`;
  return new TypedError('Storage.Unavailable', `${store} cannot be used: ${explain(faultOf(error), place, error)}`);
}

function explain({ name, code, status }: Fault, { bucket, prefix = '' }: S3Place, error: Error): string {
  if (name === 'NoSuchBucket')
    return `there is no such bucket. Create it (aws s3 mb s3://${bucket}), or correct storage.bucket`;
  if (name === 'InvalidBucketName') return 'that is no name of a bucket. Correct storage.bucket';
  if (name === 'CredentialsProviderError')
    return 'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) in the environment';
  if (KEYS_REFUSED.has(name))
    return `the credentials were refused (${name}). Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE)`;
  if (name === 'RequestTimeTooSkewed') return 'the clock of this machine is wrong. Set it';
  if (WRONG_REGION.has(name) || status === 301) return `it is in another region (${name}). Set storage.region`;
  if (error.message.includes('Region is missing')) return 'no region is known. Set storage.region, or AWS_REGION';
  if (status === 403)
    return `access is denied (${name}). Allow s3:GetObject, s3:PutObject and s3:AbortMultipartUpload (for rlm clean also s3:DeleteObject) on s3://${bucket}/${prefix}* and s3:ListBucket on the bucket`;
  if (status === 501)
    return `it does not know conditional writes (${name}). Upgrade it, use a store that has them (AWS S3, versitygw 1.8), or share a folder instead (storage.driver: file)`;
  if (LATE.has(name) || LATE.has(code ?? '')) return 'no answer in time. Check storage.endpoint and the network';
  if (code !== undefined) return `the connection failed (${code}). Check storage.endpoint and the network`;
  return `it answered ${status ?? 'something that is not S3'} (${name}), also when asked again. Look at the store's own log`;
}

/** Without the name and password that a variable may hold. */
function originOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).origin : 'its endpoint';
}

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: '', code: undefined, status: undefined };
  const { name, code, $metadata } = error as Error & { code?: unknown; $metadata?: { httpStatusCode?: number } };
  return { name, code: typeof code === 'string' ? code : undefined, status: $metadata?.httpStatusCode };
}

/** Errors of the SDK and of sockets; not those of a stream that someone handed in, nor of the temporary folder. */
function isOfStorage(error: Error): boolean {
  const { code, syscall, $metadata, $service } = error as Error & Record<string, unknown>;
  const ofSocket =
    typeof code === 'string' && (syscall === undefined || (typeof syscall === 'string' && SOCKET_CALLS.has(syscall)));
  return (
    $metadata !== undefined ||
    $service !== undefined ||
    ofSocket ||
    error.name === 'CredentialsProviderError' ||
    LATE.has(error.name) ||
    error.message.includes('Region is missing')
  );
}

const SOCKET_CALLS = new Set(['connect', 'read', 'write', 'getaddrinfo']);
