// After `npm ci` builds `dist`. Where the development dependencies are left out (npm ci --omit=dev, a lock file
// being made) there is no compiler and perhaps no Node that reads TypeScript: then it says so and lets npm go on.
import { existsSync } from 'node:fs';

const compiler = new URL('../node_modules/typescript/bin/tsc', import.meta.url);
if (existsSync(compiler) && process.features.typescript) await import('./build.ts');
else console.error('durable-rlm was not built: the development dependencies are not installed.');
