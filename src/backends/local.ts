// Jobs on this machine: programs are spawned directly, functions of the config run in warm Node children.
import { existsSync, realpathSync } from 'node:fs';
import { totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isEngineJob, type JobHandle, type ProcessIdentity } from '../domain/job.ts';
import { findProcessWritingTo, processesWritingTo } from '../host/find-process.ts';
import { isSameProcess, ownIdentity } from '../host/process-identity.ts';
import { type ProcessStat, readStat } from '../host/process-tree.ts';
import { JOB_FILE, RESULT_FILE, STDOUT_FILE } from '../worker/contract.ts';
import type { AttemptEnd, Backend, JobSubmission, RunningJob } from './backend.ts';
import { createJobWatch } from './job-watch.ts';
import type { Env } from './launch-contract.ts';
import { createLauncher } from './launcher.ts';
import { type Following, followJob } from './running-job.ts';
import { withSetup } from './setup-lines.ts';
import { createSlots } from './slots.ts';
import { type Failure, leaderOf, spawnLogged } from './spawn-logged.ts';
import { startErrorText } from './start-error.ts';
import { createWarmPool, type WarmChild } from './warm-pool.ts';

export interface LocalBackendOptions {
  /** Cores for all jobs together. */
  readonly slots: number;
  /** Bytes for all jobs together; null = only jobs whose memory the user set are counted, against the memory of the machine. */
  readonly memoryBytes: number | null;
  /** The module collector children run: worker/collector-child. */
  readonly childUrl: URL;
  /** The module that starts programs: backends/launch-child. */
  readonly launcherUrl: URL;
  /** Options for Node in these children; default none. */
  readonly nodeArguments?: readonly string[];
  /** A longer stdout or stderr is cut; default 1 GiB. */
  readonly maxLogBytes?: number;
  /** Directory of this user for compiled code, by which a child is ready sooner. Default none. */
  readonly compileCache?: string | undefined;
  /** From SIGTERM to SIGKILL; default 5000. */
  readonly killGraceMs?: number;
}

/** Processes that are not our children: no event tells that one is gone. */
const ADOPTED_POLL_MS = 100;

export function createLocalBackend(options: LocalBackendOptions): Backend {
  const {
    slots,
    memoryBytes,
    childUrl,
    launcherUrl,
    nodeArguments = [],
    maxLogBytes = 2 ** 30,
    compileCache,
    killGraceMs = 5000,
  } = options;
  const machineBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  const line = createSlots({ slots, memoryBytes, machineBytes });
  const watch = createJobWatch(maxLogBytes);
  const pool = createWarmPool({ size: slots, killGraceMs });
  const childArguments = [...nodeArguments, fileURLToPath(childUrl)];
  const { host, bootId } = ownIdentity();
  const launcher = createLauncher(launcherUrl);
  const adopted = new Map<Following, () => boolean>();
  let adoptedTimer: NodeJS.Timeout | null = null;

  const identityOf = ({ pid, startTicks }: ProcessStat): ProcessIdentity => ({ host, bootId, pid, startTicks });
  const follow = (submission: JobSubmission, leader: ProcessStat, startedAt: number): Following =>
    followJob(submission, leader, identityOf(leader), { watch, maxLogBytes, killGraceMs, startedAt });

  function submitProgram(submission: JobSubmission, argv: readonly string[], env: Env, ownEnv: Env): RunningJob {
    const { directory } = submission;
    const started = Promise.withResolvers<JobHandle | null>();
    const ended = Promise.withResolvers<AttemptEnd>();
    let following: Following | null = null;
    const begin = (leader: ProcessStat): void => {
      following = follow(submission, leader, performance.now());
      started.resolve(following.job.started);
      ended.resolve(following.job.ended);
    };
    const fail = (message: string): void => {
      started.resolve(null);
      ended.resolve({ how: 'not-started', message });
    };
    launcher.launch({
      argv,
      directory,
      env,
      ownEnv,
      started: begin,
      failed: (error) => fail(startErrorText(error, argv, directory, { ...env, ...ownEnv })),
      ended: (end) => following?.mainEnded(end),
      lost(known) {
        const leader = known ?? processesWritingTo(join(realpathSync(directory), STDOUT_FILE))[0];
        if (leader !== undefined && following === null) begin(leader);
        if (leader === undefined || following === null) fail('the process of caf that starts programs has ended');
        else lookAfter(following, submission, leader);
      },
    });
    return {
      started: started.promise,
      ended: ended.promise,
      async cancel() {
        await started.promise;
        await following?.job.cancel();
        await ended.promise;
      },
    };
  }

  function submitFunction(submission: JobSubmission, configPath: string, env: Env, setup: readonly string[]): RunningJob {
    const startedAt = performance.now();
    // A function is told of its job by a message; where caf itself runs in a job, this is the job around it.
    const { CAF_JOB: _, ...shared } = env;
    const key = JSON.stringify([configPath, setup, Object.entries(shared).sort()]);
    const warm = pool.take(key) ?? startWarm(key, withSetup([process.execPath, ...childArguments], setup), shared, submission.directory);
    if ('failure' in warm) return notStarted(warm.failure, [process.execPath, ...childArguments], submission.directory, shared);
    const following = follow(submission, warm.leader, startedAt);
    pool.give(warm, join(submission.directory, JOB_FILE), following);
    return following.job;
  }

  function startWarm(key: string, argv: readonly string[], env: Env, directory: string): WarmChild | Failure {
    const child = spawnLogged(argv, compileCache === undefined ? env : { ...env, NODE_COMPILE_CACHE: compileCache }, directory, true);
    if ('failure' in child) return child;
    const warm: WarmChild = { key, child, leader: leaderOf(child), jobs: 0, current: null };
    pool.add(warm);
    return warm;
  }

  /** For a process that is not our child, or whose parent is gone: nobody tells how it ends. */
  function lookAfter(following: Following, { directory, task }: JobSubmission, leader: ProcessStat): void {
    const resultFile = join(directory, RESULT_FILE);
    const isFunction = task.kind === 'function';
    const identity = identityOf(leader);
    adopted.set(following, () => {
      if (isFunction && !following.isStopping() && existsSync(resultFile)) following.finished(null);
      else if (isSameProcess(identity)) return false;
      // A function's child writes its result last, so the result stands for its end.
      else following.mainEnded(isFunction && existsSync(resultFile) ? { how: 'exited', code: 0 } : { how: 'unknown' });
      return true;
    });
    adoptedTimer ??= setInterval(lookAtAdopted, ADOPTED_POLL_MS);
  }

  function lookAtAdopted(): void {
    for (const [following, isOver] of adopted) if (isOver()) adopted.delete(following);
    if (adopted.size === 0 && adoptedTimer !== null) {
      clearInterval(adoptedTimer);
      adoptedTimer = null;
    }
  }

  return {
    name: 'local',
    environment: process.env as Readonly<Record<string, string>>,
    window: slots + 2,
    isRemote: false,
    refuses: line.refuses,
    admit: line.admit,
    submit(submission) {
      const { task } = submission;
      return task.kind === 'program'
        ? submitProgram(submission, withSetup(task.argv, task.setup), task.env, task.ownEnv)
        : submitFunction(submission, task.configPath, task.env, task.setup);
    },
    forget: () => undefined,
    adopt(submission, handle) {
      const identity = handle ?? processOf(submission.directory);
      if (identity === null || isEngineJob(identity) || !isSameProcess(identity)) return null;
      const leader = readStat(identity.pid);
      if (leader === null || leader.startTicks !== identity.startTicks) return null;
      // A program has run since it started; for how long a warm child has been at this job is not known.
      const age = submission.task.kind === 'function' ? 0 : ageMs(leader);
      const following = follow(submission, leader, performance.now() - age);
      lookAfter(following, submission, leader);
      return following.job;
    },
    async close() {
      adopted.clear();
      if (adoptedTimer !== null) clearInterval(adoptedTimer);
      await Promise.all([launcher.close(), pool.close()]);
      watch.close();
    },
  };
}

/** The process that writes to the log of an attempt; null = none, or its directory was never made. */
export function processOf(directory: string): ProcessIdentity | null {
  try {
    return findProcessWritingTo(join(realpathSync(directory), STDOUT_FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function notStarted(failure: Promise<unknown>, argv: readonly string[], directory: string, env: Env): RunningJob {
  const ended = failure.then((error): AttemptEnd => ({ how: 'not-started', message: startErrorText(error, argv, directory, env) }));
  return {
    started: Promise.resolve(null),
    ended,
    async cancel() {
      await ended;
    },
  };
}

/** Linux counts the clock ticks in /proc in hundredths of a second on all machines. */
const ageMs = (leader: ProcessStat): number => Math.max(0, uptime() * 1000 - leader.startTicks * 10);
