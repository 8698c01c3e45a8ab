import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { InputSummary, InputVariable } from '../../src/domain/kernel-protocol.ts';
import { findPython } from '../../src/sandbox/kernel-python.ts';

export interface KernelCase extends InputVariable {
  readonly bytes: Uint8Array;
}

/** What the kernel's own Python makes of each: what there is to say of it and its repr, or what it complains of. */
export type KernelView = { readonly summary: InputSummary; readonly repr: string } | { readonly error: string };

/** Written anew in Python: the first items, entries and characters of Python's own repr. */
const PROGRAM = `
import base64, json, sys
from itertools import islice
from rlm_kernel.load import load

def beginning(value, level):
    if isinstance(value, str):
        return repr(value[:200]) + ("..." if len(value) > 200 else "")
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        digits = str(value)
        return digits[:40] + ("..." if len(digits) > 40 else "")
    open, close = {list: "[]", tuple: "()", dict: "{}"}[type(value)]
    if not value:
        return open + close
    if level == 0:
        return open + "..." + close
    if isinstance(value, dict):
        shown = [beginning(key, 0) + ": " + beginning(item, level - 1) for key, item in islice(value.items(), 6)]
        more = len(value) > 6
    else:
        shown = [beginning(item, level - 1) for item in value[:3]]
        more = len(value) > 3
    end = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return open + ", ".join(shown + ["..."] * more) + end + close

def summary(value):
    text = beginning(value, 3)
    return {
        "type": type(value).__name__,
        "length": len(value) if hasattr(value, "__len__") else None,
        "preview": text[:400] + ("..." if len(text) > 400 else ""),
    }

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
