// Attempts without a recorded end: which process still works on one, and how it is ended. Never one that only has the same pid.
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { killTree } from '../backends/kill-tree.ts';
import type { AttemptRecord, ProcessIdentity } from '../domain/job.ts';
import { findProcessWritingTo } from '../host/find-process.ts';
import { isSameProcess } from '../host/process-identity.ts';
import { readStat } from '../host/process-tree.ts';
import { STDOUT_FILE } from '../worker/contract.ts';

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5000;

/** The process that works on an attempt, alive or not; null = none was written down and none writes to its log. `output`: results directory. */
export function processOfAttempt(
  output: string,
  { directory, process }: Pick<AttemptRecord, 'directory' | 'process'>,
): ProcessIdentity | null {
  if (process !== null) return process;
  try {
    return findProcessWritingTo(join(realpathSync(join(output, directory)), STDOUT_FILE));
  } catch (error) {
    // Killed before its directory was made: nothing was started.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Ends what still works on these attempts on this machine: nobody wants their results any more. Resolves, when all are gone, to how many. */
export async function endAttempts(output: string, attempts: readonly Pick<AttemptRecord, 'directory' | 'process'>[]): Promise<number> {
  const leaders = attempts.flatMap((attempt) => {
    const identity = processOfAttempt(output, attempt);
    const leader = identity !== null && isSameProcess(identity) ? readStat(identity.pid) : null;
    return leader === null ? [] : [leader];
  });
  await Promise.all(leaders.map((leader) => killTree(leader, GRACE_MS)));
  return leaders.length;
}
