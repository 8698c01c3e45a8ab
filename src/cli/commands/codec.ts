import { Command, InvalidArgumentError } from 'commander';
import type { CommandContext } from '../command-context.ts';

export function codecCommand({ io, perform }: CommandContext): Command {
  return new Command('codec')
    .description("decrypt payloads for Temporal's own tools, on 127.0.0.1, until Ctrl-C")
    .option('--port <port>', 'port to listen on (default: a free one)', port, 0)
    .addHelpText(
      'after',
      `
The key is that of DURABLE_RLM_ENCRYPTION_KEY. The options that Temporal's tools need are printed, a token among them: other
users of this machine can reach the port, and get nothing without it.`,
    )
    .action((options: { readonly port: number }) =>
      perform(async () => (await import('../serve-codec.ts')).serveCodec(io, options)),
    );
}

function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) throw new InvalidArgumentError('It is a port, 0 to 65535.');
  return number;
}
