// Makes room for a calibration that is done again: databases are kept under their version's name, the rest is made anew.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** `algorithms` keeps the collectors' jobs of iteration 0. `directory` is the calibration's, absolute; it may not exist. */
export function dropForRedo(directory: string, redo: 'all' | 'algorithms'): void {
  if (!existsSync(directory)) return;
  keepUnderItsVersion(join(directory, 'localdb'));
  for (const name of readdirSync(directory)) {
    if (!/^\d+$/.test(name)) continue;
    const iteration = join(directory, name);
    keepUnderItsVersion(join(iteration, 'localdb'));
    rmSync(join(iteration, 'algorithms'), { recursive: true, force: true });
    if (redo === 'all' || name !== '0') rmSync(join(iteration, 'collector'), { recursive: true, force: true });
  }
}

function keepUnderItsVersion(database: string): void {
  if (!existsSync(database)) return;
  const version =
    /\b[0-9a-f]{64}\b/.exec(existsSync(join(database, 'VERSION')) ? readFileSync(join(database, 'VERSION'), 'utf8') : '')?.[0] ?? 'unknown';
  const aside = `${database}.${version}`;
  if (existsSync(aside)) rmSync(database, { recursive: true, force: true });
  else renameSync(database, aside);
}
