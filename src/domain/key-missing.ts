import { TypedError } from './failures.ts';

export const KEY_VARIABLE = 'DURABLE_RLM_ENCRYPTION_KEY';

/** Something is encrypted with a key that this process does not have. */
export class KeyMissing extends TypedError {
  constructor(id: string, what: string) {
    super(
      'Storage.Damaged',
      `${what} is encrypted with the key ${id}, which this process does not have: put it into ${KEY_VARIABLE}.`,
    );
  }
}
