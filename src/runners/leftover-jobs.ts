// Attempts without a recorded end: which process still works on one, and how it is ended. Never one that only has the same pid.
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { killTree } from '../backends/kill-tree.ts';
import { type AttemptRecord, isEngineJob, type JobHandle } from '../domain/job.ts';
import { findProcessWritingTo } from '../host/find-process.ts';
import { isSameProcess } from '../host/process-identity.ts';
import { readStat } from '../host/process-tree.ts';
import { STDOUT_FILE } from '../worker/contract.ts';

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5000;

/** What works on an attempt, alive or not; null = nothing was written down and no process writes to its log. `output`: results directory. */
export function handleOfAttempt(output: string, { directory, handle }: Pick<AttemptRecord, 'directory' | 'handle'>): JobHandle | null {
  if (handle !== null) return handle;
  try {
    return findProcessWritingTo(join(realpathSync(join(output, directory)), STDOUT_FILE));
  } catch (error) {
    // Killed before its directory was made: nothing was started.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Ends what still works on these attempts on this machine: nobody wants their results any more. Resolves, when all are gone, to how many. */
export async function endAttempts(output: string, attempts: readonly Pick<AttemptRecord, 'directory' | 'handle'>[]): Promise<number> {
  const leaders = attempts.flatMap((attempt) => {
    const handle = handleOfAttempt(output, attempt);
    const leader = handle !== null && !isEngineJob(handle) && isSameProcess(handle) ? readStat(handle.pid) : null;
    return leader === null ? [] : [leader];
  });
  await Promise.all(leaders.map((leader) => killTree(leader, GRACE_MS)));
  return leaders.length;
}
