import { TypedError } from '../../domain/failures.ts';
import { describeError, retryUntil, deadlineIn, statusOf } from './calls.ts';
import { daytonaApiUrl, DaytonaClients } from './client.ts';
import { keyRefused } from './creation.ts';

/**
 * Asks Daytona something free that wants the key.
 *
 * @returns the address that was asked.
 * @throws TypedError `Sandbox.Unavailable` that says what to do.
 */
export async function probeDaytona(options: {
  readonly environment: NodeJS.ProcessEnv;
  readonly patienceMs: number;
}): Promise<string> {
  const clients = new DaytonaClients({ environment: options.environment, requestTimeoutMs: options.patienceMs });
  try {
    const client = await clients.open();
    const work = async (): Promise<void> => void (await client.list({ limit: 1 }).next());
    await retryUntil({ what: 'answer', work, limitMs: options.patienceMs }, deadlineIn(options.patienceMs));
    return daytonaApiUrl(options.environment);
  } catch (error) {
    if (error instanceof TypedError) throw error;
    const why = describeError(error);
    const message =
      statusOf(error) === 401 ? keyRefused(why) : `Daytona cannot be used: ${why}. Check DAYTONA_API_URL.`;
    throw new TypedError('Sandbox.Unavailable', message, { cause: error });
  } finally {
    await clients.close();
  }
}
