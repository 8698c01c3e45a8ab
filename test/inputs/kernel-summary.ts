import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { InputSummary, InputVariable } from '../../src/domain/kernel-protocol.ts';
import { findPython } from '../../src/sandbox/kernel-python.ts';

export interface KernelCase extends InputVariable {
  readonly bytes: Uint8Array;
}

/** What the kernel's own Python makes of each: its summary and its repr, or what it complains of. */
export type KernelView = { readonly summary: InputSummary; readonly repr: string } | { readonly error: string };

const PROGRAM = `
import base64, json, sys
from rlm_kernel.load import load, summary
found = []
for case in json.load(sys.stdin):
    data = base64.b64decode(case["bytes"])
    try:
        value = load([data[i : i + 65536] for i in range(0, len(data), 65536)], case["format"], case.get("type"), case["name"])
        found.append({"summary": summary(value), "repr": repr(value) if len(data) < 10000 else ""})
    except ValueError as error:
        found.append({"error": str(error)})
json.dump(found, sys.stdout)
`;

export async function kernelViews(cases: readonly KernelCase[]): Promise<KernelView[]> {
  const { path } = await findPython();
  const child = spawn(path, ['-c', PROGRAM], {
    env: {
      ...process.env,
      PYTHONPATH: fileURLToPath(new URL('../../python', import.meta.url)),
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(
    JSON.stringify(cases.map((each) => ({ ...each, bytes: Buffer.from(each.bytes).toString('base64') }))),
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part;
  });
  await once(child, 'close');
  return JSON.parse(output) as KernelView[];
}
