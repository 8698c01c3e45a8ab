import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/sdk/types.js';
import { TypedError } from '../../domain/failures.ts';

/**
 * What the code gets of a server's answer: its structured content where there is some, else its texts, with a line for
 * whatever is no text.
 *
 * @throws TypedError `Tool.Refused` with what the server said, where it says that it failed
 */
export function valueOf({ content, structuredContent, isError }: CallToolResult): unknown {
  if (isError === true) {
    throw new TypedError('Tool.Refused', textOf(content) || 'the server says that it failed, and nothing else');
  }
  return structuredContent ?? textOf(content);
}

function textOf(content: readonly ContentBlock[]): string {
  return content.map(lineOf).join('\n');
}

function lineOf(block: ContentBlock): string {
  switch (block.type) {
    case 'text':
      return block.text;
    case 'image':
    case 'audio':
      return `[${block.type}: ${block.mimeType}, ${sizeOf(block.data)}]`;
    case 'resource_link':
      return `[resource: ${block.uri}${block.name === '' ? '' : `, ${block.name}`}]`;
    default: {
      const { resource } = block;
      if ('text' in resource) return `[resource: ${resource.uri}]\n${resource.text}`;
      return `[resource: ${resource.uri}, ${resource.mimeType ?? 'bytes'}, ${sizeOf(resource.blob)}]`;
    }
  }
}

function sizeOf(base64: string): string {
  return `${Buffer.byteLength(base64, 'base64')} bytes`;
}
