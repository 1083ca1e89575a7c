// Watches all running jobs with one timer: time limits, memory of their process trees, size of their logs.

import { descendantsOf, membersOf, proportionalBytes, readAllStats, residentBytes } from '../host/process-tree.ts';
import { boundLogs } from './attempt-logs.ts';

export interface WatchedJob {
  /** The main process. */
  readonly pid: number;
  readonly directory: string;
  /** Absolute; another place where it has logs at the moment, null = none. */
  alsoLogsIn?(): string | null;
  readonly memoryLimitBytes: number;
  /** On the clock of performance.now(); Infinity = no limit. */
  readonly deadline: number;
  readonly startedAt: number;
  onOutOfMemory(usedBytes: number): void;
  onTimeLimit(): void;
}

interface Watched {
  readonly job: WatchedJob;
  samples: number;
  /** All processes of its session as of the last full look: also those whose parent ended. */
  session: readonly number[];
  maxRssBytes: number | null;
  sampleAt: number;
}

export interface JobWatch {
  add(job: WatchedJob): Watch;
  close(): void;
}

export interface Watch {
  /** Highest resident memory that was seen; null = not looked yet. */
  maxRssBytes(): number | null;
  end(): void;
}

/** Soon at first, to catch what grows fast; then once a second. */
const FIRST_SAMPLES_MS = [100, 250, 500];
const SAMPLE_MS = 1000;
const FULL_LOOK_MS = 10_000;
/** Looking at processes may use this share of one core, whatever their number; twice, for the trees and for the sessions. */
const LOOKING_SHARE = 0.0005;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Of this process. By the clock on the wall, whatever else the machine does would count, and looks would become rare just when it is busy. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export function createJobWatch(maxLogBytes: number): JobWatch {
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;
  let timerAt = Infinity;
  let sampleMs = SAMPLE_MS;
  let nextFullLook = performance.now() + FULL_LOOK_MS;

  function wakeAt(time: number, now: number): void {
    if (time >= timerAt) return;
    if (timer !== null) clearTimeout(timer);
    timerAt = time;
    // A wake-up before anything is due only sets the timer again: so delays above 2^31 ms work.
    timer = setTimeout(tick, Math.min(Math.max(1, Math.ceil(time - now)), LONGEST_TIMER_MS)).unref();
  }

  function tick(): void {
    timer = null;
    timerAt = Infinity;
    const begin = performance.now();
    const cpuBegin = cpuMs();
    let sampled = 0;
    for (const entry of watched) {
      if (entry.sampleAt > begin) continue;
      sample(entry, begin);
      sampled++;
    }
    if (sampled > 0) {
      const cost = ((cpuMs() - cpuBegin) / sampled) * watched.size;
      sampleMs = Math.max(SAMPLE_MS, cost / LOOKING_SHARE);
      if (begin >= nextFullLook) lookAtSessions(begin);
    }
    const now = performance.now();
    let next = Infinity;
    for (const entry of watched) {
      if (entry.job.deadline <= now) entry.job.onTimeLimit();
      else next = Math.min(next, entry.sampleAt, entry.job.deadline);
    }
    if (next < Infinity) wakeAt(next, now);
  }

  function sample(entry: Watched, now: number): void {
    const { job } = entry;
    const pids = descendantsOf(job.pid);
    for (const pid of entry.session) if (!pids.includes(pid)) pids.push(pid);
    const bytes = residentBytes(pids);
    entry.maxRssBytes = Math.max(entry.maxRssBytes ?? 0, bytes);
    const other = job.alsoLogsIn?.() ?? null;
    const longestLog = Math.max(boundLogs(job.directory, maxLogBytes), other === null ? 0 : boundLogs(other, maxLogBytes));
    entry.samples++;
    const first = FIRST_SAMPLES_MS[entry.samples];
    entry.sampleAt = first === undefined ? now + (longestLog > maxLogBytes / 2 ? 100 : sampleMs) : job.startedAt + first;
    if (bytes > job.memoryLimitBytes) confirmOutOfMemory(entry);
  }

  /** Forked processes share pages, and a pid of the last full look may be another's by now: both are settled before a job is ended for it. */
  function confirmOutOfMemory(entry: Watched): void {
    const members = membersOf(entry.job.pid).map((stat) => stat.pid);
    const bytes = members.length === 1 ? residentBytes(members) : proportionalBytes(members);
    if (bytes > entry.job.memoryLimitBytes) entry.job.onOutOfMemory(bytes);
  }

  function lookAtSessions(begin: number): void {
    const before = cpuMs();
    const sessions = Map.groupBy(readAllStats(), (stat) => stat.session);
    for (const entry of watched) entry.session = (sessions.get(entry.job.pid) ?? []).map((stat) => stat.pid);
    nextFullLook = begin + Math.max(FULL_LOOK_MS, (cpuMs() - before) / LOOKING_SHARE);
  }

  return {
    add(job) {
      const entry: Watched = { job, samples: 0, session: [], maxRssBytes: null, sampleAt: job.startedAt + (FIRST_SAMPLES_MS[0] ?? 0) };
      watched.add(entry);
      wakeAt(Math.min(entry.sampleAt, job.deadline), job.startedAt);
      return {
        maxRssBytes: () => entry.maxRssBytes,
        end() {
          watched.delete(entry);
        },
      };
    },
    close() {
      watched.clear();
      if (timer !== null) clearTimeout(timer);
      timer = null;
      timerAt = Infinity;
    },
  };
}
