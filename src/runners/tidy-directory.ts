// Brings a calibration's directory in line with its rows: rows are dropped first, and a kill may come before the directories follow.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalReads } from '../database/journal-records.ts';
import { isHalfMade } from '../database/place.ts';

/** What rows know nothing of makes room: databases are kept under their version's name, the rest goes, and so does what was half-made. */
export function tidyDirectory(directory: string, calibration: string, journal: JournalReads): void {
  if (!existsSync(directory)) return;
  if (journal.calibration(calibration)?.state !== 'completed') keepUnderItsVersion(join(directory, 'localdb'));
  removeHalfMade(directory);
  for (const name of readdirSync(directory)) {
    if (!/^\d+$/.test(name)) continue;
    const iteration = join(directory, name);
    const record = journal.iteration(calibration, Number(name));
    const isBegun = record !== null;
    if (!isBegun) rmSync(join(iteration, 'collector'), { recursive: true, force: true });
    if (!isBegun || journal.algorithms(calibration, Number(name)).length === 0) {
      // Before an algorithm has begun, a database of this iteration can only be an earlier one's.
      if (!isBegun || record.version === null) keepUnderItsVersion(join(iteration, 'localdb'));
      rmSync(join(iteration, 'algorithms'), { recursive: true, force: true });
    }
    for (const place of placesIn(iteration)) removeHalfMade(place);
  }
}

/** Where files and directories are made under a temporary name: databases, conditions, drafts, archives of jobs. */
function placesIn(iteration: string): readonly string[] {
  const algorithms = join(iteration, 'algorithms');
  const collector = join(iteration, 'collector');
  return [iteration, collector, ...directoriesIn(collector), algorithms, ...directoriesIn(algorithms)];
}

const directoriesIn = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(directory, entry.name)] : []))
    : [];

function removeHalfMade(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) if (isHalfMade(name)) rmSync(join(directory, name), { recursive: true, force: true });
}

/** Makes room for a database that is made anew: the old one, where there is one, is kept beside it under its version's name. */
export function keepUnderItsVersion(database: string): void {
  if (!existsSync(database)) return;
  const version =
    /\b[0-9a-f]{64}\b/.exec(existsSync(join(database, 'VERSION')) ? readFileSync(join(database, 'VERSION'), 'utf8') : '')?.[0] ?? 'unknown';
  const aside = `${database}.${version}`;
  if (existsSync(aside)) rmSync(database, { recursive: true, force: true });
  else renameSync(database, aside);
}
