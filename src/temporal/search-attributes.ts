import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, type SettableAttributes } from '../domain/search-attributes.ts';

/**
 * What the workflows of runs may set: none where the namespace does not have all of them, for the server stops a workflow
 * that sets others. A namespace that cannot be asked (a server without the operator service, or credentials without
 * the right to) counts as one without.
 */
export function settableAttributesOf(
  client: Client,
  { isEncrypted }: { readonly isEncrypted: boolean },
): () => Promise<SettableAttributes> {
  let hasAll = false;
  return async () => {
    hasAll ||= await ask(client);
    if (!hasAll) return 'none';
    return isEncrypted ? 'status and cost' : 'all';
  };
}

async function ask(client: Client): Promise<boolean> {
  try {
    const { namespace } = client.options;
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
    return SEARCH_ATTRIBUTES.every(({ name }) => name in customAttributes);
  } catch {
    return false;
  }
}
