// Finds a process by the log it writes to: how an attempt is found whose pid was not yet written down when caf was killed.
import { readdirSync, readlinkSync } from 'node:fs';
import type { ProcessIdentity } from '../domain/job.ts';
import { readProcessIdentity } from './process-identity.ts';

/** The process whose standard output is this file (absolute path), oldest first; null where there is none or no /proc. */
export function findProcessWritingTo(path: string): ProcessIdentity | null {
  const found = listPids()
    .filter((pid) => outputOf(pid) === path)
    .map((pid) => readProcessIdentity(pid))
    .filter((identity) => identity !== null)
    .sort((a, b) => a.startTicks - b.startTicks);
  return found[0] ?? null;
}

function listPids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid));
  } catch {
    return [];
  }
}

/** Another user's process, or one that has just ended, has no output that we could read. */
function outputOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    return null;
  }
}
