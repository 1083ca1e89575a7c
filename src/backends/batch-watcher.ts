// Watches all jobs of an engine together: through what they write first, with one query of the queue at intervals, and through its history for what has left.
import { readFileSync } from 'node:fs';
import type { Commands } from './batch-commands.ts';
import type { TaskEnd } from './batch-script.ts';
import { createHintReader, pathsOf, type SpooledArray } from './batch-spool.ts';
import { type BatchTask, needsEngine, readOwnEnd, verdict } from './batch-task.ts';
import type { BatchEngine, EngineEnd, EngineTask } from './engine.ts';
import { createLogReader } from './engine-log.ts';

/** An array that may be in the engine. */
export interface LiveArray {
  readonly directory: string;
  /** What the engine knows it by. */
  readonly name: string;
  /** Those that are watched, by number: of thousands that have ended nothing is kept. */
  readonly tasks: Map<number, BatchTask>;
  readonly hints: () => readonly number[];
}

export const liveArray = ({ directory, file }: SpooledArray): LiveArray => ({
  directory,
  name: file.name,
  tasks: new Map(),
  hints: createHintReader(directory),
});

/** Which task of which array. */
export interface Place {
  readonly array: LiveArray;
  readonly number: number;
}

export interface WatcherOptions {
  readonly engine: BatchEngine<never>;
  readonly commands: Commands;
  /** The least time between two queries. */
  readonly pollMs: number;
  /** How late the file system may be. */
  readonly settleMs: number;
  /** After each query, or failed query. */
  readonly onAnswer: (answer: readonly EngineTask[] | null) => void;
  /** After its log has told of tasks. */
  readonly onLog: () => void;
}

export interface Watcher {
  /** From its acceptance on, or from its adoption. `place` null: its array's directory is gone. */
  watch(task: BatchTask, place: Place | null): void;
  /** A query soon: something is about to be known. */
  wish(): void;
  /** The next answer to a query that begins after this call. Rejects when closed. */
  nextAnswer(): Promise<readonly EngineTask[]>;
  tasks(): Iterable<BatchTask>;
  close(): void;
}

/** Files are looked at after a hundredth of the time since something happened, within these. */
const HINT_MS = 100;
const SLOWEST_HINT_MS = 500;
/** Two looks at the directory of a task whose end is not clear yet. */
const LOOK_MS = 500;
const SLOWEST_MS = 60_000;
/** Longest wait for the engine's word on what a task itself calls a failure: it exited, or was ended by a signal. */
const CONFIRM_EXIT_MS = 60_000;
const CONFIRM_SIGNAL_MS = 600_000;
/** The history still says that it runs, and the queue does not know it. */
const RUNAWAY_MS = 600_000;
const LEAST_ANSWERS = 3;
const LOG_TAIL = 1e6;

const wasSignalled = ({ status, stopped }: TaskEnd): boolean => status > 128 || stopped;

/** The queue says that it failed, but not how: without an end of its own, or after a signal, which may have been followed by a second start that did nothing. */
const isCodeWanted = ({ ownEnd, engineEnd }: BatchTask): boolean =>
  engineEnd?.how === 'exited' && engineEnd.code === null && (ownEnd === null || wasSignalled(ownEnd));

/** Slurm's queue does not say who cancelled a job, its history does. */
const isNameWanted = ({ engineEnd, isCancelWanted, isInHistory }: BatchTask): boolean =>
  engineEnd?.how === 'cancelled' && engineEnd.by === null && !isCancelWanted && !isInHistory;

const isMoreWanted = (task: BatchTask): boolean => isCodeWanted(task) || isNameWanted(task);

/** Nothing that comes later can change these. */
const isFinal = (end: EngineEnd): boolean => end.how !== 'exited' && end.how !== 'signalled';

export function createWatcher({ engine, commands, pollMs, settleMs, onAnswer, onLog }: WatcherOptions): Watcher {
  const live = new Map<BatchTask, { readonly place: Place | null; readonly since: number; lookedAt: number }>();
  /** Those with watched tasks. */
  const arrays = new Set<LiveArray>();
  /** For engines that write down what happens. */
  const logs = new Map<LiveArray, () => readonly EngineTask[]>();
  /** Those whose end was heard of, but is not clear yet. */
  const unclear = new Set<BatchTask>();
  let waiters: {
    readonly since: number;
    readonly resolve: (tasks: readonly EngineTask[]) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  let hintTimer: NodeJS.Timeout | null = null;
  let newsAt = 0;
  let pollTimer: NodeJS.Timeout | null = null;
  let pollAt = Infinity;
  let isPolling = false;
  let isWished = false;
  let lastPollAt = -Infinity;
  let interval = pollMs;
  let isClosed = false;

  const grace = 2 * settleMs;
  const slowest = Math.max(pollMs, SLOWEST_MS);

  // ---------------------------------------------------------------------------------------------------------------- files

  function look(task: BatchTask, now: number): void {
    const known = live.get(task);
    if (task.isOver || known === undefined) return;
    known.lookedAt = now;
    const own = readOwnEnd(task.submission);
    if (own !== null && task.ownEnd === null) {
      task.ownEnd = own;
      task.endedAt ??= now;
      if (needsEngine(own)) wish();
    }
    decide(task, now);
  }

  function decide(task: BatchTask, now: number): void {
    const { ownEnd, engineEnd, endedAt } = task;
    if (endedAt === null) return;
    unclear.add(task);
    const age = now - endedAt;
    if (ownEnd !== null && !needsEngine(ownEnd)) finish(task);
    else if (engineEnd !== null) {
      // Where the queue does not say all of it, the history does, at the next query.
      const isTold = !isMoreWanted(task) || engine.history === null;
      if (((isFinal(engineEnd) || ownEnd !== null) && isTold) || age > (isTold ? settleMs : settleMs + CONFIRM_EXIT_MS)) finish(task);
    } else if (ownEnd !== null) {
      const wasEnded = wasSignalled(ownEnd);
      // Put back into the queue by somebody, who may also hold it: what will become of it shows when it begins again.
      const isBack = wasEnded && (task.state?.state === 'queued' || task.state?.state === 'held');
      if (!isBack && age > (wasEnded ? CONFIRM_SIGNAL_MS : CONFIRM_EXIT_MS)) finish(task);
    }
  }

  function finish(task: BatchTask): void {
    const place = live.get(task)?.place ?? null;
    live.delete(task);
    unclear.delete(task);
    const array = place?.array ?? null;
    if (place !== null) place.array.tasks.delete(place.number);
    if (array !== null && array.tasks.size === 0) {
      arrays.delete(array);
      logs.delete(array);
    }
    task.finish(verdict(task.submission, task.ownEnd, endInLog(task, array) ?? task.engineEnd, task.isCancelWanted));
    if (live.size === 0) stopTimers();
  }

  /** What only the engine's own log says: why it killed. */
  function endInLog(task: BatchTask, array: LiveArray | null): EngineEnd | null {
    const { ownEnd, engineEnd, inLog, id } = task;
    const wasKilled = (ownEnd?.status ?? 0) === 137 || (engineEnd?.how === 'signalled' && engineEnd.signal === 'SIGKILL');
    if (!wasKilled || array === null) return null;
    try {
      return engine.endInLog(readFileSync(pathsOf(array.directory).log, 'utf8').slice(-LOG_TAIL), inLog ?? id ?? '');
    } catch {
      // No log, or it cannot be read: then it tells nothing.
      return null;
    }
  }

  function readHints(): void {
    const now = performance.now();
    for (const array of [...arrays]) {
      for (const number of array.hints()) {
        newsAt = now;
        const task = array.tasks.get(number);
        if (task !== undefined) look(task, now);
      }
      readLog(array, now);
    }
    for (const task of [...unclear]) if (now - (live.get(task)?.lookedAt ?? now) >= LOOK_MS) look(task, now);
    if (live.size > 0) hintTimer = setTimeout(readHints, Math.min(SLOWEST_HINT_MS, Math.max(HINT_MS, (now - newsAt) / 100)));
  }

  /** What the engine writes down is its word, long before the next query. */
  function readLog(array: LiveArray, now: number): void {
    const events = logs.get(array)?.() ?? [];
    if (events.length === 0) return;
    newsAt = now;
    const byId = new Map([...array.tasks.values()].flatMap((task) => (task.id === null ? [] : [[task.id, task] as const])));
    for (const { id, state } of events) {
      const task = byId.get(id);
      if (task === undefined || task.isOver) continue;
      task.state = state;
      if (state.state === 'ended') ended(task, state.end, now);
      else if (state.state !== 'queued' && state.state !== 'running') wish();
    }
    onLog();
  }

  // ---------------------------------------------------------------------------------------------------------------- queue

  function schedule(inMs: number): void {
    const at = performance.now() + inMs;
    if (isPolling || isClosed || at >= pollAt) return;
    if (pollTimer !== null) clearTimeout(pollTimer);
    pollAt = at;
    pollTimer = setTimeout(() => void poll(), inMs);
  }

  function wish(): void {
    interval = pollMs;
    if (isPolling) isWished = true;
    else schedule(Math.max(0, lastPollAt + pollMs - performance.now()));
  }

  async function poll(): Promise<void> {
    pollTimer = null;
    pollAt = Infinity;
    if (live.size === 0 && waiters.length === 0) return;
    isPolling = true;
    isWished = false;
    const begun = performance.now();
    try {
      const answer = await commands.queue();
      if (isClosed) return;
      const changed = answer !== null && learn(answer, begun);
      if (changed) newsAt = performance.now();
      if (answer !== null) {
        await askHistory(performance.now());
        if (isClosed) return;
        const heard = waiters.filter(({ since }) => since <= begun);
        waiters = waiters.filter(({ since }) => since > begun);
        for (const { resolve } of heard) resolve(answer);
      }
      onAnswer(answer);
      interval = changed ? pollMs : Math.min(slowest, interval * 1.5);
    } finally {
      isPolling = false;
      lastPollAt = performance.now();
    }
    if (live.size > 0 || waiters.length > 0) schedule(isWished || waiters.length > 0 ? pollMs : interval);
  }

  /** What an answer says of a task. An engine that lost its memory gives numbers out again: another name, another job. */
  function ownIn(answer: ReadonlyMap<string, EngineTask>, task: BatchTask): EngineTask | undefined {
    const found = task.id === null ? undefined : answer.get(task.id);
    const name = live.get(task)?.place?.array.name;
    return found === undefined || found.name === null || name === undefined || found.name === name ? found : undefined;
  }

  /** True when something has changed. */
  function learn(answer: readonly EngineTask[], begun: number): boolean {
    const now = performance.now();
    const byId = new Map(answer.map((task) => [task.id, task]));
    let changed = false;
    for (const [task, { since }] of [...live]) {
      const found = ownIn(byId, task);
      if (found === undefined) {
        // One that was accepted after the question was asked cannot be in the answer.
        if (since > begun) continue;
        task.missingInQueue += 1;
        changed ||= task.missingSince === null;
        task.missingSince ??= now;
        look(task, now);
        continue;
      }
      task.missingSince = null;
      task.missingInQueue = 0;
      task.missingInHistory = 0;
      task.inLog = found.inLog;
      changed ||= task.state?.state !== found.state.state;
      task.state = found.state;
      if (found.state.state === 'ended') ended(task, found.state.end, now);
    }
    return changed;
  }

  function ended(task: BatchTask, end: EngineEnd, now: number): void {
    // Perhaps long after it wrote an end itself, when it was put back into the queue.
    if (task.engineEnd === null) task.endedAt = now;
    task.engineEnd = end.how === 'exited' && end.code === null && task.engineEnd !== null ? task.engineEnd : end;
    if (isNameWanted(task)) wish();
    look(task, now);
  }

  // -------------------------------------------------------------------------------------------------------------- history

  async function askHistory(now: number): Promise<void> {
    // Between the queue and the history there is a gap, so not at the first answer without it.
    const missing = [...live.keys()].filter((task) => (task.missingSince !== null && task.missingInQueue > 1) || isMoreWanted(task));
    if (missing.length === 0) return;
    const asked = [...new Set(missing.flatMap(({ id }) => (id === null ? [] : [engine.arrayOf(id)])))];
    const answer = await commands.history({ arrays: asked });
    if (isClosed) return;
    const byId = new Map((answer ?? []).map((task) => [task.id, task]));
    for (const task of missing) {
      if (task.isOver) continue;
      const found = ownIn(byId, task);
      if (found !== undefined) {
        task.inLog = found.inLog;
        if (found.state.state === 'ended') {
          task.isInHistory = true;
          ended(task, found.state.end, now);
          continue;
        }
      } else if (answer !== null || engine.history === null) task.missingInHistory += 1;
      const missingMs = task.missingSince === null ? 0 : now - task.missingSince;
      const isForgotten = task.missingInHistory >= LEAST_ANSWERS && missingMs > grace;
      if (isForgotten || (missingMs > RUNAWAY_MS && task.missingInQueue >= LEAST_ANSWERS)) {
        ended(task, { how: 'node-lost', detail: `neither the queue nor the history of ${engine.name} knows it any more` }, now);
      }
    }
  }

  function stopTimers(): void {
    if (hintTimer !== null) clearTimeout(hintTimer);
    hintTimer = null;
    if (waiters.length > 0 || pollTimer === null) return;
    clearTimeout(pollTimer);
    pollTimer = null;
    pollAt = Infinity;
  }

  return {
    watch(task, place) {
      if (isClosed) return;
      const now = performance.now();
      newsAt = now;
      live.set(task, { place, since: now, lookedAt: -Infinity });
      if (place !== null) {
        const { array, number } = place;
        array.tasks.set(number, task);
        arrays.add(array);
        if (engine.readLog !== undefined && !logs.has(array))
          logs.set(array, createLogReader(pathsOf(array.directory).log, engine.readLog));
      }
      hintTimer ??= setTimeout(readHints, HINT_MS);
      wish();
    },
    wish,
    nextAnswer() {
      if (isClosed) return Promise.reject(new Error('the batch engine is not watched any more'));
      return new Promise((resolve, reject) => {
        waiters.push({ since: performance.now(), resolve, reject });
        wish();
      });
    },
    tasks: () => live.keys(),
    close() {
      isClosed = true;
      live.clear();
      arrays.clear();
      logs.clear();
      unclear.clear();
      for (const { reject } of waiters.splice(0)) reject(new Error('the batch engine is not watched any more'));
      stopTimers();
    },
  };
}
