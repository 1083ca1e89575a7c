// Ends a job with everything it started: SIGTERM, a grace time, SIGKILL; never a process that only has the same pid.
import { setTimeout as delay } from 'node:timers/promises';
import { membersOf, type ProcessStat, readStat } from '../host/process-tree.ts';

/** How often a process that is not our child is asked whether it is gone: no event exists for it. */
const POLL_MS = 20;
/** A process that survives SIGKILL this long hangs in the kernel, or belongs to another user: it is waited for no longer. */
const UNKILLABLE_MS = 5000;

const isAlive = (member: ProcessStat): boolean => {
  const now = readStat(member.pid);
  return now !== null && now.startTicks === member.startTicks && now.state !== 'Z';
};

/** To the whole group at once, and to each member that is not in it. SIGKILL goes to each as well: one may leave the group meanwhile. */
function send(leader: ProcessStat, members: readonly ProcessStat[], signal: 'SIGTERM' | 'SIGKILL'): void {
  const targets = new Set<number>();
  for (const { pid, startTicks } of members) {
    const now = readStat(pid);
    if (now === null || now.startTicks !== startTicks) continue;
    if (now.group === leader.pid) targets.add(-leader.pid);
    if (now.group !== leader.pid || signal === 'SIGKILL') targets.add(pid);
  }
  for (const target of targets) {
    try {
      process.kill(target, signal);
    } catch {
      // It ended between the look and the signal, or it changed its user and is not ours to end.
    }
  }
}

/** The processes that are of the session of `leader`, or below it, and not older than `leader` itself. */
const currentMembers = (leader: ProcessStat): ProcessStat[] =>
  membersOf(leader.pid).filter((stat) => stat.state !== 'Z' && stat.startTicks >= leader.startTicks);

/**
 * Ends the leader and its tree. `leader` is as it was read when it started; it may be gone already, leaving others of its session.
 * Resolves when no process of the tree is left.
 */
export async function killTree(leader: ProcessStat, graceMs: number): Promise<void> {
  const seen = new Map<number, ProcessStat>();
  const look = (): ProcessStat[] => {
    for (const member of currentMembers(leader)) seen.set(member.pid, member);
    return [...seen.values()].filter(isAlive);
  };
  send(leader, look(), 'SIGTERM');

  const termAt = performance.now();
  while ([...seen.values()].some(isAlive) && performance.now() - termAt < graceMs) {
    await delay(Math.min(POLL_MS, graceMs));
  }

  // Looked for anew each time: between two looks they may have had children.
  const killAt = performance.now();
  for (let left = look(); left.length > 0 && performance.now() - killAt < UNKILLABLE_MS; left = look()) {
    send(leader, left, 'SIGKILL');
    await delay(POLL_MS);
  }
}

/** Whether processes of a leader that ended are still in its group. One system call. */
export function leftGroup(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
