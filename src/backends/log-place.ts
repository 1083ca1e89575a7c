// Where an engine writes its own log of a job: beside what caf keeps of the job, or where the site wants it, and then a link leads there.
import { readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `log`: where caf looks for it. `elsewhere`: the option logDirectory; null = at `log` itself. `name`: of the job, for its file there. */
export const logPlace = (log: string, elsewhere: string | null, name: string): string =>
  elsewhere === null ? log : join(elsewhere, `${name}.log`);

/** What stands at `place` is found at `log`. Both directories must be there: a place that cannot be written is found out before the engine does. */
export function linkLog(log: string, place: string): void {
  if (place === log) return;
  writeFileSync(place, '');
  symlinkSync(place, log);
}

/** The one elsewhere; one that lies at `log` goes with its directory. */
export function removeLinkedLog(log: string): void {
  try {
    rmSync(readlinkSync(log), { force: true });
  } catch (error) {
    // EINVAL: no link, it lies here.
    if (!['EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
