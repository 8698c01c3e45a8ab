import { expect, it } from 'vitest';
import { createLog, fieldsOfWorkflow, logEvents, type LogFormat, type LogLevel } from '../../src/telemetry/log.ts';

const KEY = 'a"secret\\key-0123456789';

function logTo(lines: string[], format: LogFormat, level: LogLevel = 'info') {
  return createLog({
    format,
    level,
    env: { SOME_API_KEY: KEY, SHORT_TOKEN: 'none' },
    writeLine: (line) => lines.push(line),
  });
}

it('writes one line an event, as JSON or as text, whatever is in it', () => {
  const lines: string[] = [];
  for (const format of ['json', 'text'] as const)
    logTo(lines, format).write('info', 'agent ended', { run: 'r', agent: '0.1', error: 'two\nlines', seconds: 1.5 });
  const [json = '', text = ''] = lines;
  expect(lines).toHaveLength(2);
  expect(JSON.parse(json)).toMatchObject({
    level: 'info',
    message: 'agent ended',
    run: 'r',
    agent: '0.1',
    seconds: 1.5,
  });
  expect(text).toMatch(/^\S+Z INFO {2}agent ended run=r agent=0\.1 error="two\\nlines" seconds=1\.5$/);
});

it('leaves out what is not worth a line at its level', () => {
  const lines: string[] = [];
  const log = logTo(lines, 'json', 'warn');
  const tell = logEvents(log);
  tell({ kind: 'sandbox created', run: 'r', agent: '0', provider: 'local', sandbox: 's', seconds: 1 });
  tell({ kind: 'sandbox lost', run: 'r', agent: '0', provider: 'local', sandbox: 's' });
  tell({ kind: 'sweep', provider: 'local', removed: 0 });
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(['sandbox lost']);
});

it('writes no key of the environment, however it is quoted', () => {
  const lines: string[] = [];
  for (const format of ['json', 'text'] as const)
    logTo(lines, format).write('error', `refused: ${KEY}`, { error: `key ${KEY}, or none` });
  for (const line of lines) {
    expect(line).not.toContain('0123456789');
    expect(line).toContain('none');
  }
});

it('names run and agent by the id of their workflow', () => {
  expect(fieldsOfWorkflow('run/0.1')).toEqual({ run: 'run', agent: '0.1' });
  expect(fieldsOfWorkflow('run')).toEqual({ run: 'run' });
  expect(fieldsOfWorkflow(undefined)).toEqual({});
});
