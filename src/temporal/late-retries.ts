import type { ConnectionOptions } from '@temporalio/client';

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Interceptor>;

const CANCELLED = 1;

/**
 * The interceptors of a connection: the SDK's own retries, and beneath them one for the retry that is due after the
 * connection was closed. The SDK starts that one from a timer, where what gRPC throws would end the process; here the
 * call ends as cancelled.
 */
export async function retriesThatEnd(): Promise<Interceptor[]> {
  // Loaded by who connects only: it takes a third of a second.
  const { makeGrpcRetryInterceptor, defaultGrpcRetryOptions } = await import('@temporalio/client');
  return [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), endAfterClose];
}

const endAfterClose: Interceptor = (options, nextCall) => {
  try {
    return nextCall(options) as Call;
  } catch (error) {
    return endedCall(error instanceof Error ? error.message : String(error));
  }
};

/** Only what a retry does with a call. */
function endedCall(details: string): Call {
  const call: Pick<Call, 'start' | 'sendMessage' | 'halfClose' | 'cancelWithStatus' | 'getPeer'> = {
    start(metadata, listener) {
      listener?.onReceiveMessage?.(undefined);
      listener?.onReceiveStatus?.({ code: CANCELLED, details, metadata });
    },
    sendMessage() {},
    halfClose() {},
    cancelWithStatus() {},
    getPeer: () => 'closed',
  };
  return call as Call;
}
