import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import type { RunDocument } from '../../src/results/run-document.ts';
import { itLong } from '../sizes.ts';
import { createDesk, type Desk } from './command.ts';

vi.setConfig({ testTimeout: 120_000 });

const SIGNATURE = 'documents: list[str], question -> answer: str, rows: list[dict]';
const ROWS = '[{"n": n, "length": len(text)} for n, text in enumerate(documents)]';

let desk: Desk;
let model: ScriptedModel;
const held = Promise.withResolvers<undefined>();
beforeAll(async () => {
  desk = await createDesk();
  model = await startScriptedModel({
    scripts: async ({ messages, opening, turn, last }) => {
      if (messages.length === 1) return `read ${last.length}`;
      if (opening.includes('wait for it') && turn === 1) await held.promise;
      if (opening.includes('Say it as pirates do')) return withCode('SUBMIT(answer="arr", rows=[])');
      if (opening.includes('shout(text: str)'))
        return withCode('SUBMIT(answer=shout(question), rows=[{"n": 1, "length": 2}])');
      return turn === 0
        ? withCode('answers = llm_query_batched(documents)\nprint(answers)')
        : withCode(`SUBMIT(answer=f"{len(answers)} documents", rows=${ROWS})`);
    },
  });
  desk.configure(`model: {name: scripted, base_url: "${model.url}"}\n`);
  writeFileSync(join(desk.folder, 'signature.yaml'), 'signature: a -> b\n');
  writeFileSync(join(desk.folder, 'nothing.md'), '\n');
  const documents = join(desk.folder, 'documents');
  mkdirSync(documents);
  for (const name of ['a10.txt', 'a2.txt', 'b.md']) writeFileSync(join(documents, name), `the text of ${name}`);
});
afterAll(async () => {
  await desk.close();
  await model.close({ check: false });
});

const given = ['-s', SIGNATURE, '-i', 'documents=@documents', '-i'];

describe('rlm analyze', () => {
  it('prints the fields as JSON, and draws the picture that is asked for', async () => {
    const { code, stdout, stderr } = await desk.run([
      'analyze',
      ...given,
      'question=How many?',
      '--plot',
      'x=n,y=length',
      '--id',
      'plain',
    ]);
    expect(stderr).toContain('plain: completed');
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toEqual({
      answer: '3 documents',
      rows: [
        { n: 0, length: 18 },
        { n: 1, length: 19 },
        { n: 2, length: 16 },
      ],
    });
    expect(stderr).toContain('The picture is in results/plain.svg and results/plain.png.');
    expect(readFileSync(join(desk.folder, 'results', 'plain.svg'), 'utf8')).toContain('<svg');
    const detail = JSON.parse(readFileSync(join(desk.folder, 'results', 'plain.detail.json'), 'utf8')) as object;
    expect(detail).toMatchObject({
      repository: null,
      status: 'completed',
      prompt: expect.stringContaining('documents'),
      inputs: { documents: ['a2.txt', 'a10.txt', 'b.md'] },
    });
  });

  it('refuses a file of the wrong type before anything is spent, with what to do', async () => {
    writeFileSync(join(desk.folder, 'table.csv'), 'id;n\n1;2\n');
    writeFileSync(join(desk.folder, 'page.pdf'), '<html></html>');
    const asked = model.count();
    for (const [file, advice] of [
      ['table.csv', 'table.csv is a list of rows, and the signature wants list[str]: make the field a list[dict]'],
      ['page.pdf', 'page.pdf cannot be read: it is no PDF file, whatever its name says'],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { code, stderr } = await desk.run(['analyze', '-s', 'd: list[str] -> answer', '-i', `d=@${file}`]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(advice)]);
    }
    expect(model.count()).toBe(asked);
  });

  it('says before it begins that a file for another program will hold JSON', async () => {
    for (const [file, hasNote] of [
      ['rows.csv', true],
      ['rows.XLSX', true],
      ['report.html', true],
      ['rows.json', false],
      ['rows', false],
    ] as const) {
      const wrong = ['analyze', '-s', 'd: int -> answer', '-i', 'd=three', '-o', file];
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { code, stderr } = await desk.run(wrong);
      expect(code).toBe(2);
      expect(stderr.includes(`Note: ${file} will hold the fields as JSON, whatever its name says.`)).toBe(hasNote);
    }
  });

  it('finds the run again, writes the fields to a file, and shows it in every other command', async () => {
    const again = ['analyze', ...given, 'question=How many?', '--id', 'plain', '-o', 'fields.json'];
    const asked = model.count();
    expect((await desk.run(again)).code).toBe(0);
    expect(model.count()).toBe(asked);
    expect(JSON.parse(readFileSync(join(desk.folder, 'fields.json'), 'utf8'))).toMatchObject({ answer: '3 documents' });
    const result = await desk.run(['result', 'plain']);
    expect(JSON.parse(result.stdout.toString())).toMatchObject({ answer: '3 documents' });
    const document = JSON.parse((await desk.run(['status', 'plain', '--json'])).stdout.toString()) as RunDocument;
    expect(document).toMatchObject({
      run_id: 'plain',
      type: 'analyze',
      patch: null,
      answer: { answer: '3 documents' },
    });
    expect((await desk.run(['list'])).stdout.toString()).toContain('documents: list[str], question: str -> answer');
    const other = await desk.run(['analyze', ...given, 'question=Other?', '--id', 'plain']);
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain('started with other arguments');
  });

  it('reads instructions from a file', async () => {
    writeFileSync(join(desk.folder, 'how.md'), 'Say it as pirates do.\n');
    const { stdout, stderr } = await desk.run([
      'analyze',
      ...given,
      'question=hello',
      '--instructions',
      '@how.md',
      '-q',
    ]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout.toString())).toMatchObject({ answer: 'arr' });
  });

  it('calls tools of a file', async () => {
    writeFileSync(
      join(desk.folder, 'tools.ts'),
      `import { tool } from 'durable-rlm';
import { z } from 'zod';

export const shout = tool({
  description: 'Makes it loud.',
  parameters: z.object({ text: z.string() }),
  run: ({ text }: { text: string }) => text.toUpperCase(),
});
`,
    );
    const { stdout, stderr } = await desk.run(['analyze', ...given, 'question=hello', '--tools', 'tools.ts', '-q']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout.toString())).toMatchObject({ answer: 'HELLO' });
  });

  itLong('continues after it was killed, without paying again', async () => {
    const command = ['analyze', ...given, 'question=wait for it', '--id', 'killed', '--json'];
    const before = model.calls.length;
    const first = desk.start(command);
    await model.when(({ index, turn }) => index >= before && turn === 1, 60_000);
    first.kill();
    await first.finished;
    const asked = model.count(({ turn, outcome }) => turn === 0 && outcome === 'answered');
    held.resolve(undefined);
    const { code, stdout } = await desk.run(command);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({ status: 'completed', answer: { answer: '3 documents' } });
    expect(model.count(({ turn, outcome }) => turn === 0 && outcome === 'answered')).toBe(asked);
    await vi.waitFor(async () => expect(await desk.leftovers()).toEqual([]), { timeout: 30_000, interval: 500 });
  });

  it.each([
    [['-s', 'a: lst -> b'], 'there is no type lst'],
    [['-s', SIGNATURE, '-i', 'documents=@documents'], 'the input question is missing'],
    [['-s', SIGNATURE, '-i', 'documents=@nowhere', '-i', 'question=x'], 'there is no file or folder nowhere'],
    [['-s', 'a -> b', '-i', 'a=1', '--plot', 'x=1'], 'y= is missing'],
    [['-s', 'a -> b', '-i', 'a=1', '--tools', 'none.ts'], 'there is no such file'],
    [['-s', 'a -> b', '-i', 'a=1', '--describe', 'c=x'], 'there is no field c'],
    [['-s', 'a -> b', '-i', 'a=-', '--instructions', '-'], 'Standard input can be read once'],
    [['-s', 'a -> b', '-i', 'a=1', '--plot', 'x=a,y=b'], '--plot fits no output of the signature'],
    [['-s', 'a -> b', '-i', 'a=1', '--instructions', '@none.md'], 'rlm: There is no file none.md with instructions'],
    [['-s', 'a -> b', '-i', 'a=1', '--instructions', '@documents'], 'documents is not a file.'],
    [['-s', 'a -> b', '-i', 'a=1', '--instructions', '@nothing.md'], 'The file nothing.md with instructions is empty.'],
    [['-s', '@none.yaml', '-i', 'a=1'], 'There is no file none.yaml for the signature'],
    [['-s', 'signature.yaml', '-i', 'a=1'], 'to read the file, write -s @signature.yaml'],
  ])('refuses %j before anything is spent', async (options, message) => {
    const asked = model.count();
    const { code, stderr } = await desk.run(['analyze', ...options]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(model.count()).toBe(asked);
  });
});
