// Finds processes by the log they write to: how one is found whose pid was not yet written down when caf was killed.
import { readlinkSync } from 'node:fs';
import type { ProcessIdentity } from '../domain/job.ts';
import { readProcessIdentity } from './process-identity.ts';
import { type ProcessStat, readAllStats } from './process-tree.ts';

/**
 * All processes whose standard output is this file (absolute, links resolved), oldest first; none where there is no /proc. Each job leads a
 * session: its leader stands for all who write, also where a shell has pointed its own output elsewhere at the moment.
 */
export function processesWritingTo(path: string): readonly ProcessStat[] {
  const all = readAllStats();
  const byPid = new Map(all.map((stat) => [stat.pid, stat]));
  const writing = all.filter(({ pid }) => outputOf(pid) === path).map((stat) => byPid.get(stat.session) ?? stat);
  return [...new Set(writing)].sort((a, b) => a.startTicks - b.startTicks);
}

/** The oldest of them: the one that was started with it. */
export function findProcessWritingTo(path: string): ProcessIdentity | null {
  const [oldest] = processesWritingTo(path);
  return oldest === undefined ? null : readProcessIdentity(oldest.pid);
}

/** Processes that lead a session and whose standard output lies below this directory (absolute, links resolved), each with the path within it. */
export function leadersWritingBelow(directory: string): readonly { readonly leader: ProcessStat; readonly path: string }[] {
  return readAllStats().flatMap((stat) => {
    const output = stat.pid === stat.session ? outputOf(stat.pid) : null;
    return output?.startsWith(`${directory}/`) === true ? [{ leader: stat, path: output.slice(directory.length + 1) }] : [];
  });
}

/** Another user's process, or one that has just ended, has no output that we could read. */
function outputOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    return null;
  }
}
