import { Readable } from 'node:stream';
import type { SandboxSpec } from '../sandbox/provider.ts';

/** What `git bundle create` writes for one commit without files, with a fixed author and date. */
const BUNDLE =
  'IyB2MiBnaXQgYnVuZGxlCmYzMDRjN2IyODQ5OGFjZmFkMmZmNTkxZGY2ZDFiZDE2MGJlNDA4ZmUgSEVBRApmMzA0YzdiMjg0OThhY2ZhZDJmZjU5' +
  'MWRmNmQxYmQxNjBiZTQwOGZlIHJlZnMvaGVhZHMvbWFpbgoKUEFDSwAAAAIAAAACkAh4nH3KQQqEMAxA0X1Pkf1sQomlBZE5gXdoarRCO4Gaub+e' +
  'wL94q29DBIijn7YSyBcOwiljQJmI97iF5GPcWYQSkst/qzpgtA7zw7dpya3qZQsgfPDJFe39NJP3y61q9fwd7gb+uCfZIHicAwAAAAABVe7p2HPw' +
  'wiphPOcaWwI+IcJMCek=';
const COMMIT = 'f304c7b28498acfad2ff591df6d1bd160be408fe';

/**
 * Stands in for a repository where there is none, and commands of `sandbox.setup` all the same: what they install is
 * kept by commit and commands.
 */
export const EMPTY_REPOSITORY: NonNullable<SandboxSpec['repository']> = {
  source: { kind: 'bundle', id: COMMIT, open: () => Promise.resolve(Readable.from([Buffer.from(BUNDLE, 'base64')])) },
  commit: COMMIT,
};
