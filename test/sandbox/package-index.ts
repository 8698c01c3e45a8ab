import { once } from 'node:events';
import { createServer } from 'node:http';
import { crc32 } from 'node:zlib';

export interface PackageIndex {
  /** For PIP_INDEX_URL. */
  readonly url: string;
  /** How often its one wheel was downloaded. */
  readonly downloads: () => number;
  close(): Promise<void>;
}

/** A package index on this host with one package, a single module of the same name. */
export async function startPackageIndex(name: string, module: string): Promise<PackageIndex> {
  const file = `${name}-1.0-py3-none-any.whl`;
  const wheel = makeWheel(name, module);
  let downloads = 0;
  const server = createServer((request, response) => {
    if (request.url === `/simple/${name}/`) {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<a href="/files/${file}">${file}</a>`);
    } else if (request.url === `/files/${file}`) {
      downloads += request.method === 'GET' ? 1 : 0;
      response.writeHead(200, { 'Content-Type': 'application/zip' }).end(wheel);
    } else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    downloads: () => downloads,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function makeWheel(name: string, module: string): Buffer {
  const information = `${name}-1.0.dist-info`;
  const files = {
    [`${name}.py`]: module,
    [`${information}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${information}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  const names = [...Object.keys(files), `${information}/RECORD`];
  return makeZip({ ...files, [`${information}/RECORD`]: names.map((each) => `${each},,\n`).join('') });
}

/** A ZIP archive without compression. */
function makeZip(files: Readonly<Record<string, string>>): Buffer {
  const bodies: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const [name, data] = [Buffer.from(path), Buffer.from(text)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    // The first of January 1980.
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(0o100644 * 65_536, 6);
    place.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0003', 'latin1'), common, place, name]));
    bodies.push(Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, name, data]));
    offset += 30 + name.length + data.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, directory, end]);
}
