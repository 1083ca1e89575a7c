// A test job for a site: one tiny job, sent through the very code that sends those of campaigns, and what is measured with it.
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttemptEnd, Backend, RunningJob } from '../backends/backend.ts';
import type { BackendSpec } from '../domain/calibration.ts';
import type { CafEvent } from '../domain/event.ts';
import { isEngineJob } from '../domain/job.ts';
import { makeDirectories } from '../host/make-directories.ts';
import { syncPaths } from '../payloads/disk.ts';
import { STDERR_FILE } from '../worker/contract.ts';
import { createBackends } from './backends.ts';
import { lastLine } from './read-result.ts';

export interface TestJobRequest {
  readonly backend: BackendSpec;
  /** Absolute path of the results directory; a directory in it is made for the job, and removed. */
  readonly results: string;
  readonly children: { readonly collector: URL; readonly launcher: URL };
  /** How long it may wait in the queue. */
  readonly waitMs: number;
  /** Aborted when nobody wants to know any more: the job is ended. */
  readonly signal: AbortSignal;
  /** What is going on, in words. */
  readonly tell: (text: string) => void;
}

/** It waited or ran too long, or nobody wants to know any more. */
export type GaveUp = 'waited' | 'ran' | 'asked';

/** All times in ms, by the clock of this machine; null = it did not come so far. */
export interface TestJob {
  /** Null = the engine gave none. */
  readonly id: string | null;
  /** Null = given up: see `gaveUp`. */
  readonly end: Exclude<AttemptEnd, { how: 'cancelled' }> | null;
  readonly gaveUp: GaveUp | null;
  /** What the engine said of it meanwhile. */
  readonly notices: readonly string[];
  /** Last line of what it said itself. */
  readonly words: string | null;
  /** Until the engine had taken it. */
  readonly submitMs: number | null;
  /** From then until its first file was seen here. */
  readonly queueMs: number | null;
  readonly runMs: number | null;
  /** From its last file to the news of its end. */
  readonly noticeMs: number | null;
  /** A file made here, the answer of the job to it, both by rename: until the answer was seen here. One way takes no longer. */
  readonly filesMs: number | null;
  /** Clock of the node less ours: whole seconds, and as uncertain as `filesMs`. */
  readonly clockMs: number | null;
  readonly node: string | null;
  /** What the Node of this caf says of its version there; null = it does not run there. */
  readonly nodeVersion: string | null;
}

const BEGAN = 'began';
const PING = 'ping';
const PONG = 'pong';
const LOOK_MS = 50;
/** Once it has begun. */
const LONGEST_RUN_MS = 180_000;
const LONGEST_CANCEL_MS = 20_000;

/** `sleep` of a fraction is not everywhere. */
const SCRIPT = `
{ uname -n; "$1" --version 2> /dev/null || echo none; } > ${BEGAN}.new
mv ${BEGAN}.new ${BEGAN}
tries=0
while [ ! -e ${PING} ] && [ "$tries" -lt 1200 ]; do tries=$((tries + 1)); sleep 0.1 2> /dev/null || sleep 1; done
[ -e ${PING} ] || { echo 'a file that the login node made was not seen on the node' >&2; exit 3; }
date +%s > ${PONG}.new
mv ${PONG}.new ${PONG}
`;

/** Never rejects for what the engine does. The job and its files are gone when it resolves, unless the engine cannot be reached. */
export async function runTestJob(request: TestJobRequest): Promise<TestJob> {
  const { backend, results, children, tell } = request;
  const made = makeDirectories(results) ?? null;
  const output = join(results, `.doctor-${randomBytes(5).toString('hex')}`);
  const directory = join(output, 'job');
  mkdirSync(directory, { recursive: true });
  const notices: string[] = [];
  const emit = (event: CafEvent): void => {
    if (event.type !== 'warning') return;
    notices.push(event.message);
    tell(event.message);
  };
  const backends = createBackends({ output, backends: [backend], children, emit, makeDurable: syncPaths });
  try {
    return { ...(await follow(backends.for(backend), directory, request)), notices };
  } finally {
    await backends.close();
    rmSync(output, { recursive: true, force: true, maxRetries: 3 });
    if (made !== null) removeEmpty(results, made);
  }
}

/** Sends it, answers it, and waits for its end. */
async function follow(backend: Backend, directory: string, { waitMs, signal, tell }: TestJobRequest): Promise<Omit<TestJob, 'notices'>> {
  const path = (name: string): string => join(directory, name);
  const patience = createPatience(signal);
  patience.last(waitMs, 'waited');
  const sentAt = performance.now();
  const running = submit(backend, directory);
  let isOver = false;
  void running.ended.then(() => {
    isOver = true;
  });
  /** When it was seen; null = the job ended, or nobody waits any more. A job that has ended may have made it a moment ago. */
  const seen = async (name: string): Promise<number | null> => {
    for (;;) {
      const wasOver = isOver || patience.reason() !== null;
      if (existsSync(path(name))) return performance.now();
      if (wasOver) return null;
      await delay(LOOK_MS);
    }
  };
  try {
    const handle = await Promise.race([running.started, patience.gone]);
    const acceptedAt = handle === null ? null : performance.now();
    const id = handle !== null && isEngineJob(handle) ? handle.id : null;
    if (id !== null) tell(`job ${id} is in the queue`);
    const beganAt = await seen(BEGAN);
    const [node = null, version = null] = beganAt === null ? [] : readFileSync(path(BEGAN), 'utf8').split('\n');
    if (beganAt !== null) {
      patience.last(LONGEST_RUN_MS, 'ran');
      tell(`it has begun on ${node}`);
    }
    const pingedClock = Date.now();
    const pingedAt = performance.now();
    if (beganAt !== null) put(path(PING));
    const pongAt = beganAt === null ? null : await seen(PONG);
    const filesMs = pongAt === null ? null : pongAt - pingedAt;
    const clock = pongAt === null ? null : Number(readFileSync(path(PONG), 'utf8')) * 1000;
    const end = await Promise.race([running.ended, patience.gone]);
    const endedAt = performance.now();
    if (end === null) {
      tell('the job is cancelled');
      await Promise.race([running.cancel().then(() => running.ended), delay(LONGEST_CANCEL_MS)]);
    }
    return {
      id,
      end: end === null || end.how === 'cancelled' ? null : end,
      gaveUp: end === null ? patience.reason() : null,
      words: lastLine(path(STDERR_FILE)),
      submitMs: acceptedAt === null ? null : acceptedAt - sentAt,
      queueMs: acceptedAt === null || beganAt === null ? null : beganAt - acceptedAt,
      runMs: end !== null && 'usage' in end ? end.usage.seconds * 1000 : null,
      noticeMs: pongAt === null || end === null ? null : Math.max(0, endedAt - pongAt),
      filesMs,
      clockMs: filesMs === null || clock === null ? null : clock + 500 - (pingedClock + filesMs / 2),
      node,
      nodeVersion: version === 'none' ? null : version,
    };
  } finally {
    patience.close();
  }
}

const submit = (backend: Backend, directory: string): RunningJob =>
  backend.submit({
    calibration: 'doctor',
    iteration: 0,
    collection: 'test',
    job: 0,
    attempt: 0,
    token: randomUUID(),
    directory,
    resources: { cores: 1, memoryBytes: 500e6, memoryIsSet: false, timeMs: 600_000 },
    task: { kind: 'program', argv: ['/bin/sh', '-c', SCRIPT, 'caf', process.execPath], env: backend.environment, ownEnv: {}, setup: [] },
  });

/** How long it is waited for, and why no longer. */
function createPatience(signal: AbortSignal) {
  const { promise: gone, resolve } = Promise.withResolvers<null>();
  let reason: GaveUp | null = null;
  let timer: NodeJS.Timeout | null = null;
  const giveUp = (why: GaveUp) => {
    reason ??= why;
    resolve(null);
  };
  const onAbort = () => giveUp('asked');
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const stop = () => timer !== null && clearTimeout(timer);
  return {
    /** Resolves when it is over. */
    gone,
    reason: () => reason,
    /** From now on, this long. */
    last(ms: number, why: GaveUp) {
      stop();
      timer = setTimeout(giveUp, ms, why);
    },
    close() {
      stop();
      signal.removeEventListener('abort', onAbort);
    },
  };
}

function put(path: string): void {
  writeFileSync(`${path}.new`, '');
  renameSync(`${path}.new`, path);
}

/** Directories that were made for the job, as far as nobody else uses them by now. */
function removeEmpty(innermost: string, outermost: string): void {
  try {
    for (let path = innermost; path.startsWith(outermost); path = dirname(path)) rmdirSync(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
