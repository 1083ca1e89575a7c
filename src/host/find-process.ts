// Finds processes by the log they write to: how one is found whose pid was not yet written down when caf was killed.
import { readlinkSync } from 'node:fs';
import type { ProcessIdentity } from '../domain/job.ts';
import { readProcessIdentity } from './process-identity.ts';
import { type ProcessStat, readAllStats } from './process-tree.ts';

/** All processes whose standard output is this file (absolute, links resolved), oldest first; none where there is no /proc. */
export const processesWritingTo = (path: string): readonly ProcessStat[] =>
  readAllStats()
    .filter(({ pid }) => outputOf(pid) === path)
    .sort((a, b) => a.startTicks - b.startTicks);

/** The oldest of them: the one that was started with it. */
export function findProcessWritingTo(path: string): ProcessIdentity | null {
  const [oldest] = processesWritingTo(path);
  return oldest === undefined ? null : readProcessIdentity(oldest.pid);
}

/** Another user's process, or one that has just ended, has no output that we could read. */
function outputOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    return null;
  }
}
