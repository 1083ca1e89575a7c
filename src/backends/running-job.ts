// One attempt while it runs: what ends it (itself, a limit, a cancel), and the one answer that follows when its processes are gone.
import type { ProcessIdentity } from '../domain/job.ts';
import type { ProcessStat } from '../host/process-tree.ts';
import { finishLogs } from './attempt-logs.ts';
import type { AttemptEnd, JobSubmission, RunningJob } from './backend.ts';
import type { JobWatch } from './job-watch.ts';
import { killTree, leftGroup } from './kill-tree.ts';

/** How the main process ended, as far as its parent (or whoever adopted it) can tell. */
export type MainEnd =
  | { readonly how: 'exited'; readonly code: number }
  | { readonly how: 'signalled'; readonly signal: string }
  | { readonly how: 'unknown' };

type Stop =
  | { readonly how: 'cancelled' }
  | { readonly how: 'time-limit'; readonly limitMs: number }
  | { readonly how: 'out-of-memory'; readonly limitBytes: number; readonly usedBytes: number };

export interface Following {
  readonly job: RunningJob;
  /** True from the moment it is being ended by caf. */
  isStopping(): boolean;
  /** The main process is gone: ends what it left behind, then answers. */
  mainEnded(end: MainEnd): void;
  /** A warm child finished this job and lives on. */
  finished(rssBytes: number | null): void;
}

export interface FollowOptions {
  readonly watch: JobWatch;
  readonly maxLogBytes: number;
  readonly killGraceMs: number;
  /** On the clock of performance.now(). */
  readonly startedAt: number;
}

export function followJob(submission: JobSubmission, leader: ProcessStat, identity: ProcessIdentity, options: FollowOptions): Following {
  const { directory, resources } = submission;
  const { watch, startedAt, killGraceMs } = options;
  const { promise: ended, resolve } = Promise.withResolvers<AttemptEnd>();
  let stop: Stop | null = null;
  let killed: Promise<void> | null = null;

  const watching = watch.add({
    pid: leader.pid,
    directory,
    memoryLimitBytes: resources.memoryBytes,
    deadline: startedAt + resources.timeMs,
    startedAt,
    onTimeLimit: () => endFor({ how: 'time-limit', limitMs: resources.timeMs }),
    onOutOfMemory: (usedBytes) => endFor({ how: 'out-of-memory', limitBytes: resources.memoryBytes, usedBytes }),
  });

  function endFor(reason: Stop): void {
    if (stop !== null) return;
    stop = reason;
    killed = killTree(leader, killGraceMs);
  }

  function answer(end: MainEnd | Stop, rssBytes: number | null): void {
    const seen = watching.maxRssBytes();
    const maxRssBytes = seen === null || rssBytes === null ? (seen ?? rssBytes) : Math.max(seen, rssBytes);
    finishLogs(directory, options.maxLogBytes);
    resolve({ ...end, usage: { seconds: (performance.now() - startedAt) / 1000, maxRssBytes } });
  }

  return {
    job: {
      started: Promise.resolve(identity),
      ended,
      async cancel() {
        endFor({ how: 'cancelled' });
        await ended;
      },
    },
    isStopping: () => stop !== null,
    mainEnded(end) {
      watching.end();
      if (killed === null && leftGroup(leader.pid)) killed = killTree(leader, killGraceMs);
      if (killed === null) answer(end, null);
      else killed.then(() => answer(stop ?? end, null));
    },
    finished(rssBytes) {
      watching.end();
      answer({ how: 'exited', code: 0 }, rssBytes);
    },
  };
}
