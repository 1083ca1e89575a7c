// Makes the package known in a directory of a benchmark.
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As `npm install calibration-framework zod` would: configs find both beside them. */
export function install(directory: string): void {
  const packages = join(directory, 'node_modules');
  mkdirSync(packages);
  symlinkSync(fileURLToPath(new URL('..', import.meta.url)), join(packages, 'calibration-framework'));
  symlinkSync(fileURLToPath(new URL('.', import.meta.resolve('zod/package.json'))), join(packages, 'zod'));
}
