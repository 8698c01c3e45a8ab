import { TypedError } from '../../domain/failures.ts';
import { complaint, type GitResult } from './git.ts';

const NO_ACCESS =
  /authentication failed|could not read username|could not read password|permission denied|access denied|invalid credentials|error: 40[13]/i;
const MOVED = /error: 30[12378]\b/;
const NOT_THERE =
  /not found|does not exist|does not appear to be a git repository|no such file|not our ref|couldn't find remote ref|error: 404/i;

/** What a failed fetch means for the run: refused for good, or worth another attempt. */
export function fetchFailure(
  { url, anonymous }: { readonly url: string; readonly anonymous?: true },
  result: GitResult,
): TypedError {
  const why = complaint(result);
  if (/could not resolve host(name)?|name or service not known|temporary failure/i.test(result.stderr)) {
    return new TypedError('Repository.Unavailable', `${url} cannot be reached: ${why}. Check the URL and the network.`);
  }
  if (MOVED.test(result.stderr)) {
    return new TypedError('Repository.NotFound', `${url} has moved on its server: give the repository's new URL.`);
  }
  if (NO_ACCESS.test(result.stderr)) {
    if (anonymous === true) {
      return new TypedError(
        'Repository.NotFound',
        `${url} cannot be read: ${why}. This worker fetches it without credentials, because somebody else started the ` +
          'run: if it is private, name it in the configuration of the worker: worker.allow.repositories.',
      );
    }
    return new TypedError(
      'Repository.NotFound',
      `${url} cannot be read: ${why}. If it is private, put a token into an environment variable of the worker and ` +
        `name that variable in the configuration: repository.token_env (over ssh: load the key into ssh-agent).`,
    );
  }
  if (NOT_THERE.test(result.stderr)) {
    return new TypedError('Repository.NotFound', `There is no repository at ${url}: ${why}.`);
  }
  return new TypedError('Repository.Unavailable', `${url} could not be fetched: ${why}.`);
}
