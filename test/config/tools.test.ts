import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import type { RunConfig } from '../../src/domain/config.ts';

const load = (text: string): RunConfig =>
  loadConfig({ files: [{ path: 'config.yaml', text, folder: '/home/me' }] }).config;

describe('the tools of a configuration', () => {
  it('are none where nothing is said', () => {
    expect(load('').tools).toEqual({ files: [], mcp: {} });
  });

  it('are files and servers, those with a time limit and attempts', () => {
    const text =
      'tools:\n  files: [a.ts]\n  mcp:\n    one: {command: serve, args: [-v], env_vars: [a_KEY]}\n    two: {url: "http://host/mcp", header_env: {Authorization: TOKEN}, timeout: 5, attempts: 1}';
    expect(load(text).tools).toEqual({
      files: ['/home/me/a.ts'],
      mcp: {
        one: { command: 'serve', args: ['-v'], env_vars: ['a_KEY'], cwd: '/home/me', timeout: 60, attempts: 3 },
        two: { url: 'http://host/mcp', header_env: { Authorization: 'TOKEN' }, timeout: 5, attempts: 1 },
      },
    });
  });

  it.each([
    ['{}', 'tools.mcp.one must have a command or a url'],
    ['{command: a, url: "http://host"}', 'tools.mcp.one.url must be the only one of command and url'],
    ['{url: "http://host", args: [a]}', 'tools.mcp.one.args is for a command'],
    ['{command: a, header_env: {A: B}}', 'tools.mcp.one.header_env is for a url'],
    ['{url: "http://me:word@host"}', 'must not hold a name or password; use header_env'],
    ['{url: "http://host", header_env: {Authorization: "Bearer abc"}}', 'must be the name of an environment variable'],
    ['{command: a, attempts: 0}', 'tools.mcp.one.attempts'],
  ])('are refused: %s', (server, expected) => {
    const text = `tools:\n  mcp:\n    one: ${server}`;
    expect(() => load(text)).toThrow(expected);
    expect(() => load(text)).not.toThrow('abc');
  });
});
