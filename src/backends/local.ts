// Jobs on this machine: programs are spawned directly, functions of the config run in warm Node children.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessIdentity } from '../domain/job.ts';
import { isSameProcess, ownIdentity } from '../host/process-identity.ts';
import { type ProcessStat, readStat } from '../host/process-tree.ts';
import { JOB_FILE, RESULT_FILE } from '../worker/contract.ts';
import { openLog } from './attempt-logs.ts';
import type { AttemptEnd, Backend, JobSubmission, RunningJob } from './backend.ts';
import { createJobWatch } from './job-watch.ts';
import { type Following, followJob } from './running-job.ts';
import { withSetup } from './setup-lines.ts';
import { createSlots } from './slots.ts';
import { startErrorText } from './start-error.ts';
import { createWarmPool, type WarmChild } from './warm-pool.ts';

export interface LocalBackendOptions {
  /** Cores for all jobs together. */
  readonly slots: number;
  /** Bytes for all jobs together; null = only jobs whose memory the user set are counted, against the memory of the machine. */
  readonly memoryBytes: number | null;
  /** The module collector children run: worker/collector-child. */
  readonly childUrl: URL;
  /** Options for Node in these children; default none. */
  readonly nodeArguments?: readonly string[];
  /** A longer stdout or stderr is cut; default 1 GiB. */
  readonly maxLogBytes?: number;
  /** Directory of this user for compiled code, by which a child is ready sooner. Default none. */
  readonly compileCache?: string | undefined;
  /** From SIGTERM to SIGKILL; default 5000. */
  readonly killGraceMs?: number;
}

type Env = Readonly<Record<string, string>>;

/** Adopted processes are not our children: no event tells that one is gone. */
const ADOPTED_POLL_MS = 100;

export function createLocalBackend(options: LocalBackendOptions): Backend {
  const { slots, memoryBytes, childUrl, nodeArguments = [], maxLogBytes = 2 ** 30, compileCache, killGraceMs = 5000 } = options;
  const machineBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  const line = createSlots({ slots, memoryBytes, machineBytes });
  const watch = createJobWatch(maxLogBytes);
  const pool = createWarmPool({ size: slots, killGraceMs });
  const childArguments = [...nodeArguments, fileURLToPath(childUrl)];
  const { host, bootId } = ownIdentity();
  const programs = new Set<ChildProcess>();
  const adopted = new Map<Following, () => boolean>();
  let adoptedTimer: NodeJS.Timeout | null = null;

  const follow = (submission: JobSubmission, leader: ProcessStat, startedAt: number): Following => {
    const identity: ProcessIdentity = { host, bootId, pid: leader.pid, startTicks: leader.startTicks };
    return followJob(submission, leader, identity, { watch, maxLogBytes, killGraceMs, startedAt });
  };

  function submitProgram(submission: JobSubmission, argv: readonly string[], env: Env): RunningJob {
    const startedAt = performance.now();
    const child = spawnLogged(argv, env, submission.directory, false);
    if ('failure' in child) return notStarted(child.failure, argv, submission.directory, env);
    const following = follow(submission, leaderOf(child), startedAt);
    programs.add(child);
    child.once('exit', (code, signal) => {
      programs.delete(child);
      following.mainEnded(signal === null ? { how: 'exited', code: code ?? 0 } : { how: 'signalled', signal });
    });
    return following.job;
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

  function lookAtAdopted(): void {
    for (const [following, isOver] of adopted) if (isOver()) adopted.delete(following);
    if (adopted.size === 0 && adoptedTimer !== null) {
      clearInterval(adoptedTimer);
      adoptedTimer = null;
    }
  }

  return {
    name: 'local',
    refuses: line.refuses,
    admit: line.admit,
    submit(submission) {
      const { task } = submission;
      return task.kind === 'program'
        ? submitProgram(submission, withSetup(task.argv, task.setup), task.env)
        : submitFunction(submission, task.configPath, task.env, task.setup);
    },
    adopt(submission, identity) {
      if (!isSameProcess(identity)) return null;
      const leader = readStat(identity.pid);
      if (leader === null || leader.startTicks !== identity.startTicks) return null;
      const resultFile = join(submission.directory, RESULT_FILE);
      const isFunction = submission.task.kind === 'function';
      // A program has run since it started; for how long a warm child has been at this job is not known.
      const following = follow(submission, leader, performance.now() - (isFunction ? 0 : ageMs(leader)));
      adopted.set(following, () => {
        if (isFunction && !following.isStopping() && existsSync(resultFile)) following.finished(null);
        else if (isSameProcess(identity)) return false;
        // Nobody saw how it ended. A function's child writes its result last, so the result stands for its end.
        else following.mainEnded(isFunction && existsSync(resultFile) ? { how: 'exited', code: 0 } : { how: 'unknown' });
        return true;
      });
      adoptedTimer ??= setInterval(lookAtAdopted, ADOPTED_POLL_MS);
      return following.job;
    },
    async close() {
      watch.close();
      adopted.clear();
      if (adoptedTimer !== null) clearInterval(adoptedTimer);
      for (const child of programs) child.unref();
      await pool.close();
    },
  };
}

/** Nothing was started; why is known at once or in a moment. */
interface Failure {
  readonly failure: Promise<unknown>;
}

function notStarted(failure: Promise<unknown>, argv: readonly string[], directory: string, env: Env): RunningJob {
  const ended = failure.then((error): AttemptEnd => ({ how: 'not-started', message: startErrorText(error, argv, directory, env) }));
  return {
    process: null,
    ended,
    async cancel() {
      await ended;
    },
  };
}

/** Its own session, so that Ctrl-C reaches only caf; its logs are real files, so that it lives on without caf. */
function spawnLogged(argv: readonly string[], env: Env, directory: string, withChannel: boolean): ChildProcess | Failure {
  const fds: number[] = [];
  try {
    fds.push(openLog(directory, 'stdout'));
    fds.push(openLog(directory, 'stderr'));
    const [file = '', ...rest] = argv;
    const stdio: StdioOptions = ['ignore', fds[0], fds[1], ...(withChannel ? ['ipc' as const] : [])];
    const child = spawn(file, rest, { cwd: directory, env, detached: true, stdio });
    if (child.pid !== undefined) return child;
    return { failure: new Promise((resolve) => child.once('error', resolve)) };
  } catch (error) {
    return { failure: Promise.resolve(error) };
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Linux counts the clock ticks in /proc in hundredths of a second on all machines. */
const ageMs = (leader: ProcessStat): number => Math.max(0, uptime() * 1000 - leader.startTicks * 10);

/** A child that was just spawned can be read: even if it has ended, nobody has collected its exit status yet. */
function leaderOf(child: ChildProcess): ProcessStat {
  const pid = child.pid ?? 0;
  return readStat(pid) ?? { pid, state: 'R', parent: process.pid, group: pid, session: pid, startTicks: 0 };
}
