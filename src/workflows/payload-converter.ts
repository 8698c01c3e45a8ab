import { DefaultPayloadConverter, type Payload } from '@temporalio/common';

/** Stands for a payload that this project did not write: bytes of an unknown encoding, or malformed JSON. */
const UNREADABLE = 'unreadable';

/**
 * As Temporal's own, but a payload that cannot be read is a value like any other: anybody who can send a signal could
 * otherwise stop a run for good with one.
 */
class LenientPayloadConverter extends DefaultPayloadConverter {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as the SDK declares it
  override fromPayload<T>(payload: Payload): T {
    try {
      return super.fromPayload<T>(payload);
    } catch {
      return UNREADABLE as T;
    }
  }
}

export const payloadConverter = new LenientPayloadConverter();
