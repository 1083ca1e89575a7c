// One attempt on a batch engine: what is known of it, and the one answer at its end, made of what it wrote itself and what the engine says.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JobHandle, Usage } from '../domain/job.ts';
import { readRegularFile } from '../host/read-regular-file.ts';
import { signalName } from '../host/signal-name.ts';
import { ENDED_FILE } from '../worker/contract.ts';
import { finishLogs } from './attempt-logs.ts';
import type { AttemptEnd, JobSubmission, RunningJob } from './backend.ts';
import { CANNOT_WRITE, readTaskEnd, STARTED_TWICE, type TaskEnd } from './batch-script.ts';
import type { EngineEnd, EngineState } from './engine.ts';

export interface BatchTask {
  readonly submission: JobSubmission;
  /** Options of its backend, the same object for all tasks of one backend. */
  readonly owner: object;
  readonly job: RunningJob;
  /** What the engine calls it; null = not submitted yet, or not known. */
  id: string | null;
  /** What the engine's own log calls it. */
  inLog: string | null;
  /** What the engine said last; null = nothing yet. */
  state: EngineState | null;
  /** What it wrote of a bad end: the engine's word is waited for. */
  ownEnd: TaskEnd | null;
  /** When (performance.now()) its end was first heard of, by file or engine. */
  endedAt: number | null;
  /** How the engine says that it ended. */
  engineEnd: EngineEnd | null;
  /** Since when the queue does not know it; null = it does. */
  missingSince: number | null;
  /** Answers since then without it: of the queue, of the history. */
  missingInQueue: number;
  missingInHistory: number;
  /** The history has said how it ended. */
  isInHistory: boolean;
  isCancelWanted: boolean;
  /** The engine has heard of the wish. */
  isCancelSent: boolean;
  isOver: boolean;
  accepted(id: string): void;
  finish(end: AttemptEnd): void;
}

export interface TaskOptions {
  readonly engine: string;
  readonly submission: JobSubmission;
  readonly owner: object;
  readonly maxLogBytes: number;
  /** Called once when it is to be cancelled. */
  readonly onCancel: (task: BatchTask) => void;
  /** Called once when it is over. */
  readonly onOver: (task: BatchTask, end: AttemptEnd) => void;
}

export function createTask({ engine, submission, owner, maxLogBytes, onCancel, onOver }: TaskOptions): BatchTask {
  const started = Promise.withResolvers<JobHandle | null>();
  const ended = Promise.withResolvers<AttemptEnd>();
  const task: BatchTask = {
    submission,
    owner,
    id: null,
    inLog: null,
    state: null,
    ownEnd: null,
    endedAt: null,
    engineEnd: null,
    missingSince: null,
    missingInQueue: 0,
    missingInHistory: 0,
    isInHistory: false,
    isCancelWanted: false,
    isCancelSent: false,
    isOver: false,
    job: {
      started: started.promise,
      ended: ended.promise,
      async cancel() {
        if (!task.isCancelWanted && !task.isOver) {
          task.isCancelWanted = true;
          onCancel(task);
        }
        await ended.promise;
      },
    },
    accepted(id) {
      task.id = id;
      started.resolve({ engine, id });
    },
    finish(end) {
      if (task.isOver) return;
      task.isOver = true;
      started.resolve(null);
      finishLogs(submission.directory, maxLogBytes);
      ended.resolve(end);
      onOver(task, end);
    },
  };
  return task;
}

/** In bytes; it has five short lines. */
const LONGEST_NOTE = 4096;

/** What the task wrote about its end; null = nothing (yet). Listing the directory makes network file systems look for new files. */
export function readOwnEnd({ directory, token }: JobSubmission): TaskEnd | null {
  try {
    if (!readdirSync(directory).includes(ENDED_FILE)) return null;
    const text = readRegularFile(join(directory, ENDED_FILE), LONGEST_NOTE);
    const end = text === null ? null : readTaskEnd(text);
    return end?.token === token ? end : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ESTALE, EIO: the file server is away for a moment; the next look will tell.
    if (code === 'ENOENT' || code === 'ESTALE' || code === 'EIO') return null;
    throw error;
  }
}

const NO_USAGE: Usage = { seconds: 0, maxRssBytes: null };

/** How the attempt ended, all things considered. `own`: what it wrote; `engine`: what the engine says; at least one is there. */
export function verdict(submission: JobSubmission, own: TaskEnd | null, engine: EngineEnd | null, isCancelWanted: boolean): AttemptEnd {
  const usage: Usage =
    own === null ? NO_USAGE : { seconds: own.seconds, maxRssBytes: null, ...(own.node === '' ? {} : { node: own.node }) };
  const { resources } = submission;
  // Whatever happened to it afterwards: its work was done, and everything is written.
  if (own?.status === 0 && !own.stopped) return { how: 'exited', code: 0, usage };
  switch (engine?.how) {
    case 'time-limit':
      return { how: 'time-limit', limitMs: resources.timeMs, usage };
    case 'out-of-memory':
      return { how: 'out-of-memory', limitBytes: resources.memoryBytes, usedBytes: null, usage };
    case 'cancelled':
      return isCancelWanted ? { how: 'cancelled', usage } : { how: 'removed', by: engine.by, usage };
    case 'preempted':
      return { how: 'preempted', usage };
    case 'node-lost':
      return { how: 'node-lost', detail: engine.detail, usage };
    case 'not-started':
      return { how: 'not-started', message: engine.detail };
    default:
  }
  // Before what it wrote: a job that is put back into the queue is ended first. A program may have that exit status, too.
  if (engine?.how === 'exited' && engine.code === STARTED_TWICE && own?.status !== STARTED_TWICE)
    return isCancelWanted
      ? { how: 'cancelled', usage }
      : { how: 'node-lost', detail: 'the engine put it back into the queue, or lost its node, and started it a second time', usage };
  if (engine?.how === 'exited' && engine.code === CANNOT_WRITE && own === null)
    return { how: 'not-started', message: `its node cannot write in ${submission.directory}: it is read-only or full there` };
  if (own !== null) return isCancelWanted && own.stopped ? { how: 'cancelled', usage } : endOfStatus(own.status, usage);
  if (engine?.how === 'signalled') return isCancelWanted ? { how: 'cancelled', usage } : { how: 'signalled', signal: engine.signal, usage };
  if (engine?.how === 'exited' && engine.code !== null && engine.code !== 0) return { how: 'exited', code: engine.code, usage };
  return { how: 'unknown', detail: UNSEEN, usage };
}

const UNSEEN = 'the engine says that it has ended, but the note that it makes of its end was not to be seen within fileDelay';

/** Shells count signals from 128 on. */
function endOfStatus(status: number, usage: Usage): AttemptEnd {
  const signal = signalName(status - 128);
  return signal === null ? { how: 'exited', code: status, usage } : { how: 'signalled', signal, usage };
}

/** True when the engine's word can change what the task wrote itself. */
export const needsEngine = (own: TaskEnd): boolean => own.status !== 0 || own.stopped;
