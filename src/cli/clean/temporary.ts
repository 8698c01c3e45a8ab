import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAbandoned, removeTree } from '../../sandbox/host/scratch.ts';
import { diskUsage } from '../../sandbox/local/caches.ts';
import { blobFolder } from '../../storage/open-blob-store.ts';
import type { Session } from '../session.ts';
import type { LeftFile } from './report.ts';

/** Milliseconds without any change after which what does not say whose it is counts as abandoned. */
const ABANDONED_AFTER = 24 * 60 * 60_000;

/** Temporary files and folders of processes that are gone. */
export async function findTemporary(session: Session): Promise<LeftFile[]> {
  const paths = [...(await ofGoneProcesses(session)), ...(await untouched(session))].toSorted();
  const sizes = await diskUsage(paths);
  return paths.map((path) => ({ path, bytes: sizes.get(path) ?? 0, deleted: false }));
}

export async function removeTemporary(file: LeftFile): Promise<LeftFile> {
  await removeTree(file.path);
  return { ...file, deleted: true };
}

/** Those that are named after their process. */
async function ofGoneProcesses({ stateDirectory, cacheDirectory }: Session): Promise<string[]> {
  const folders = [
    join(stateDirectory, 'sandboxes'),
    cacheDirectory,
    ...['repositories', 'checkouts', 'layers', 'bundles'].map((name) => join(cacheDirectory, name)),
  ];
  return (await Promise.all(folders.map(findAbandoned))).flat();
}

/** Those that are not: long untouched, and this user's. */
async function untouched({ config, cwd, stateDirectory, cacheDirectory }: Session): Promise<string[]> {
  const demos = await pathsIn(join(cacheDirectory, 'demo'), /^v/);
  const places: readonly (readonly [folder: string, names: RegExp])[] = [
    [tmpdir(), /^durable-rlm-(git|view|bundle|blob)-[0-9a-f]{12}-[0-9a-f-]+$/],
    [join(cacheDirectory, 'bin'), /^\.install-/],
    [cacheDirectory, /^kernel-.*\.pyc\.\d+\.[0-9a-f]{8}$/],
    ...demos.map((folder) => [folder, /\.making-[A-Za-z0-9]{6}$/] as const),
    ...(config.storage.driver === 'file'
      ? ([
          [
            join(blobFolder({ storage: config.storage, cwd, stateDirectory }), 'temporary'),
            /^[0-9a-f]{12}-[0-9a-f-]+$/,
          ],
        ] as const)
      : []),
  ];
  const found = (await Promise.all(places.map(([folder, names]) => pathsIn(folder, names)))).flat();
  const old = await Promise.all(found.map(isUntouched));
  return found.filter((_, at) => old[at]);
}

async function isUntouched(path: string): Promise<boolean> {
  const times = await Promise.all([path, ...(await pathsIn(path, /./))].map(lastChange));
  return times.every((time) => time !== undefined && time < Date.now() - ABANDONED_AFTER);
}

/** Now for what is another user's: not ours to judge. */
async function lastChange(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs, uid }) => (uid === process.getuid?.() ? mtimeMs : Date.now()),
    () => Date.now(),
  );
}

async function pathsIn(folder: string, names: RegExp): Promise<string[]> {
  const found = await readdir(folder).catch(() => []);
  return found.filter((name) => names.test(name)).map((name) => join(folder, name));
}
