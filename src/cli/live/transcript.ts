import type { ChainRecord } from '../../domain/records.ts';
import { describeOrigin } from '../../results/describe-origin.ts';
import { readReply } from '../../results/read-reply.ts';
import { visibleControls } from './text.ts';

/** Lines shown of what the model thought, of its code, and of what that printed. */
const SHOWN = { thought: 10, code: 60, output: 30 };

/** What an agent thinks, writes and sees, as it goes: for `--verbose`. */
export interface Transcript {
  /** @param records - the agent's chain so far; those of the time before have been told. */
  tell(records: readonly ChainRecord[]): void;
}

export function createTranscript(agent: string, note: (line: string) => void): Transcript {
  let told = 0;
  return {
    tell(records) {
      for (const record of records.slice(told)) for (const line of linesOf(agent, record)) note(line);
      told = Math.max(told, records.length);
    },
  };
}

function linesOf(agent: string, record: ChainRecord): string[] {
  switch (record.kind) {
    case 'reply': {
      const title = record.purpose === 'turn' ? `iteration ${record.iteration}` : 'final answer';
      const { prose, code, notRun } = readReply(record);
      return [
        `── agent ${agent}, ${title}`,
        ...shown(prose, SHOWN.thought),
        ...code.flatMap((block) => shown(block, SHOWN.code).map((line) => `  │ ${line}`)),
        ...(notRun === null ? [] : [`  (${notRun})`]),
      ];
    }
    case 'block': {
      const { stdout, stderr, error } = record.result;
      const output = [stdout, stderr, error ?? ''].filter((part) => part.trim() !== '').join('\n');
      return shown(output, SHOWN.output).map((line) => `  ▸ ${line}`);
    }
    case 'summary':
      return [
        `── agent ${agent}, a summary in place of iterations 1 to ${record.through}`,
        ...shown(record.text, SHOWN.thought),
      ];
    case 'steer':
      return [`── agent ${agent}, a message from a person`, ...shown(record.message, SHOWN.thought)];
    case 'fork': {
      const origin = describeOrigin({ ...record.from, iteration: record.iteration - 1 });
      return [`── agent ${agent} ${origin}`, ...shown(record.message ?? '', SHOWN.thought)];
    }
    case 'rebuild':
      return record.note === '' ? [] : [`── agent ${agent}: ${record.note}`];
    default:
      return [];
  }
}

function shown(text: string, most: number): string[] {
  const lines = text.trimEnd() === '' ? [] : text.trimEnd().split('\n').map(visibleControls);
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `… ${lines.length - most + 1} more lines`];
}
