import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.ts';

/**
 * Whether a namespace has the search attributes of runs: a workflow that sets others is stopped by the server. Where
 * that cannot be asked (a server without the operator service, or credentials without the right to) it counts as no.
 */
export function hasSearchAttributesOf(client: Client): () => Promise<boolean> {
  let known = false;
  return async () => {
    known ||= await ask(client);
    return known;
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
