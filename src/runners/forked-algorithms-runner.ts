// Forks a Node child for each algorithm: passes its messages on, watches its time, and turns every way to die into an outcome.
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundLogs, finishLogs } from '../backends/attempt-logs.ts';
import { createJobWatch, type JobWatch } from '../backends/job-watch.ts';
import { killTree, leftGroup } from '../backends/kill-tree.ts';
import { type Failure, leaderOf, spawnLogged } from '../backends/spawn-logged.ts';
import type { AlgorithmListener, AlgorithmOutcome, AlgorithmRun, AlgorithmsRunner } from '../domain/algorithms-runner.ts';
import { CafError, errorText } from '../domain/errors.ts';
import type { ErrorText } from '../domain/event.ts';
import { formatRun, type Run } from '../domain/iov.ts';
import { formatDuration, formatSize } from '../domain/quantity.ts';
import { processesWritingTo } from '../host/find-process.ts';
import { diskError } from '../payloads/disk.ts';
import {
  boundariesDirectory,
  executionDirectory,
  type FromStrategyChild,
  STDERR_FILE,
  STDOUT_FILE,
  type ToStrategyChild,
} from '../worker/contract.ts';
import { startTimer, type Timer } from './long-timer.ts';

export interface ForkedAlgorithmsRunnerOptions {
  /** The child's entry: worker/strategy-child, from the sources or the bundle. */
  readonly childUrl: URL;
  /** Arguments for Node itself. Default none. */
  readonly nodeArguments?: readonly string[];
  /** How long a child and its programs may take to end by themselves, after SIGTERM. Default 2000. */
  readonly killGraceMs?: number;
  /** Longer logs are cut, those of programs as well. Default 100 MB. */
  readonly maxLogBytes?: number;
  /**
   * Directory of this user for compiled code, by which a child is ready about 40 ms earlier. Default none.
   * Never one that others may write to: what lies there is run.
   */
  readonly compileCache?: string | undefined;
}

/** The given runner: one child per algorithm, in a session of its own. */
export function createForkedAlgorithmsRunner(options: ForkedAlgorithmsRunnerOptions): AlgorithmsRunner {
  const settings = { nodeArguments: [], killGraceMs: 2000, maxLogBytes: 100e6, ...options };
  const watch = createJobWatch(settings.maxLogBytes);
  return {
    run: async (run, listener, signal) => {
      try {
        return await runInChild(settings, watch, run, listener, signal);
      } catch (error) {
        return failed(errorText(error)); // the directory or the logs cannot be made
      }
    },
  };
}

type Settings = Required<Omit<ForkedAlgorithmsRunnerOptions, 'compileCache'>> & Pick<ForkedAlgorithmsRunnerOptions, 'compileCache'>;

/** What the child does at the moment, for time limits and obituaries. */
type Doing =
  | { readonly what: 'starting' | 'nothing' | 'setup' | 'findBoundaries' }
  | { readonly what: 'execution'; readonly seq: number; readonly runs: readonly Run[] };

const failed = (error: ErrorText): AlgorithmOutcome => ({ finalState: 'failed', gaps: null, error });
const cancelled: AlgorithmOutcome = { finalState: 'failed', gaps: null, error: null, cancelled: true };

async function runInChild(
  settings: Settings,
  watch: JobWatch,
  run: AlgorithmRun,
  listener: AlgorithmListener,
  signal: AbortSignal,
): Promise<AlgorithmOutcome> {
  const isUnwanted = (): boolean => signal.aborted || run.stopping.aborted;
  if (isUnwanted()) return cancelled;
  const { directory, algorithm } = run.job;
  mkdirSync(directory, { recursive: true });
  await endLeftover(directory);
  // Who stopped meanwhile would wait for the child in vain: it is told of nothing that was said before it began.
  if (isUnwanted()) return cancelled;
  const stderrBefore = statSync(join(directory, STDERR_FILE), { throwIfNoEntry: false })?.size ?? 0;
  let doing: Doing = { what: 'starting' };
  const child = startChild(settings, run);
  if ('failure' in child) {
    const failure = await child.failure;
    finishLogs(directory, settings.maxLogBytes);
    return failed(notStartedError(algorithm, directory, failure));
  }
  const leader = leaderOf(child);

  let outcome: AlgorithmOutcome | null = null;
  let limit: Timer | null = null;

  /** The first reason counts; a final message that was under way still wins over it. */
  let ending: AlgorithmOutcome | null = null;
  let ended: Promise<void> = Promise.resolve();
  const end = (reason: AlgorithmOutcome, graceMs: number): void => {
    if (ending !== null) return;
    ending = reason;
    ended = killTree(leader, graceMs);
  };

  /** Each program has logs of its own. */
  let questions = 0;
  const programLogs = (): string | null => {
    if (doing.what === 'execution') return join(directory, executionDirectory(doing.seq));
    return doing.what === 'findBoundaries' ? join(directory, boundariesDirectory(questions - 1)) : null;
  };

  const nowDoing = (next: Doing, isLimited: boolean): void => {
    limit?.stop();
    limit = null;
    const done = programLogs();
    if (done !== null) boundLogs(done, settings.maxLogBytes);
    doing = next;
    if (next.what === 'findBoundaries') questions += 1;
    if (isLimited)
      limit = startTimer(run.executionTimeLimitMs, () =>
        end(failed(timeLimitError(algorithm, doing, run.executionTimeLimitMs)), settings.killGraceMs),
      );
  };

  const receive = (message: FromStrategyChild): void => {
    switch (message.type) {
      case 'ready':
        nowDoing({ what: 'nothing' }, false);
        listener.ready(message.runs);
        return;
      case 'calling':
        nowDoing({ what: message.what }, true);
        return;
      case 'execution.started':
        nowDoing({ what: 'execution', seq: message.seq, runs: message.runs }, true);
        listener.executionStarted(message.seq, message.runs, message.iov);
        return;
      case 'execution.finished':
        nowDoing({ what: 'nothing' }, false);
        listener.executionFinished(message.execution);
        return;
      case 'result.reported':
        nowDoing({ what: 'nothing' }, false);
        listener.resultReported(message.report);
        return;
      case 'warning':
        listener.warning(message.message);
        return;
      case 'final':
        nowDoing({ what: 'nothing' }, false);
        outcome ??= { finalState: message.finalState, gaps: message.gaps, error: message.error };
        return;
      case 'unfinished':
        // Said when it was told to finish, and by nobody else.
        if (isUnwanted()) {
          nowDoing({ what: 'nothing' }, false);
          outcome ??= cancelled;
        } else unknown(message);
        return;
      default:
        unknown(message);
    }
  };
  /** The user's code shares the channel: what it sends there means nothing to us. */
  const unknown = (message: unknown): void =>
    listener.warning(`${algorithm} sent a message that means nothing to caf: ${JSON.stringify(message).slice(0, 60)}`);
  child.on('message', (message: FromStrategyChild | null) => {
    try {
      if (message === null) unknown(message);
      else receive(message);
    } catch (error) {
      end(failed(errorText(error)), 0); // the listener cannot go on, for instance because the journal cannot be written
    }
  });

  const onAbort = (): void => end(cancelled, settings.killGraceMs);
  signal.addEventListener('abort', onAbort);
  const finish: ToStrategyChild = { type: 'finish' };
  const onStopping = (): void => void (child.connected && child.send(finish, () => undefined));
  run.stopping.addEventListener('abort', onStopping);
  const watched = watch.add({
    pid: leader.pid,
    directory,
    alsoLogsIn: programLogs,
    memoryLimitBytes: run.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
    deadline: Number.POSITIVE_INFINITY,
    startedAt: performance.now(),
    onOutOfMemory: (usedBytes) => end(failed(memoryError(algorithm, doing, run.memoryLimitBytes ?? 0, usedBytes)), 0),
    onTimeLimit: () => undefined,
  });

  const start: ToStrategyChild = { type: 'start', job: run.job };
  // A child that died before it could listen is told by its exit.
  child.send(start, () => undefined);

  try {
    const death = await deathOf(child);
    await ended;
    if (leftGroup(leader.pid)) await killTree(leader, 0);
    if (outcome !== null) return outcome;
    if (ending !== null) return ending;
    return failed(crashError(algorithm, doing, death, readTail(join(directory, STDERR_FILE), stderrBefore)));
  } finally {
    nowDoing({ what: 'nothing' }, false);
    watched.end();
    signal.removeEventListener('abort', onAbort);
    run.stopping.removeEventListener('abort', onStopping);
    finishLogs(directory, settings.maxLogBytes);
  }
}

/**
 * A child in the middle of a long computation notices the death of its caf only afterwards: an earlier invocation's may still be at work
 * in this directory. It is known by its log, and by leading a session, as only our children do that write there.
 */
async function endLeftover(directory: string): Promise<void> {
  const log = join(realpathSync(directory), STDOUT_FILE);
  if (!existsSync(log)) return;
  const leaders = processesWritingTo(log).filter(({ pid, session }) => pid === session && pid !== process.pid);
  await Promise.all(leaders.map((leader) => killTree(leader, 0)));
}

function startChild(settings: Settings, { job, env }: AlgorithmRun): ChildProcess | Failure {
  const cache = settings.compileCache === undefined ? {} : { NODE_COMPILE_CACHE: settings.compileCache };
  const argv = [process.execPath, ...settings.nodeArguments, fileURLToPath(settings.childUrl)];
  return spawnLogged(argv, { ...env, CAF_CHILD: '1', ...cache }, job.directory, true);
}

type Death = { readonly how: 'code'; readonly code: number } | { readonly how: 'signal'; readonly signal: string };

/** Settles when the child is gone and its last message has been received. */
async function deathOf(child: ChildProcess): Promise<Death> {
  // A message or a signal that did not reach it: its exit tells.
  child.on('error', () => undefined);
  const exited = new Promise<Death>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? { how: 'code', code: code ?? 0 } : { how: 'signal', signal }));
  });
  const disconnected = new Promise<void>((resolve) => child.once('disconnect', resolve));
  const death = await exited;
  // Messages may still be in the pipe after 'exit'; 'disconnect' comes after the last one.
  if (child.connected) await disconnected;
  return death;
}

function runsText(runs: readonly Run[]): string {
  const [first] = runs;
  const last = runs.at(-1);
  if (first === undefined || last === undefined) return 'no runs';
  return runs.length === 1 ? `run ${formatRun(first)}` : `${runs.length} runs, ${formatRun(first)} to ${formatRun(last)}`;
}

function doingText(algorithm: string, doing: Doing): string {
  switch (doing.what) {
    case 'execution':
      return `execution ${doing.seq} of ${algorithm} (${runsText(doing.runs)})`;
    case 'starting':
      return `the start of ${algorithm}`;
    case 'nothing':
      return algorithm;
    default:
      return `${doing.what} of ${algorithm}`;
  }
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const memoryError = (algorithm: string, doing: Doing, limitBytes: number, usedBytes: number): ErrorText => ({
  code: 'CAF_ALGORITHM_MEMORY',
  message: `${capitalised(doingText(algorithm, doing))} used ${formatSize(usedBytes)} of memory; its limit is ${formatSize(limitBytes)}`,
  hint: `raise resources.memory of ${algorithm}, or make it need less`,
});

const timeLimitError = (algorithm: string, doing: Doing, limitMs: number): ErrorText => ({
  code: 'CAF_ALGORITHM_TIMEOUT',
  message: `${capitalised(doingText(algorithm, doing))} took longer than its time limit of ${formatDuration(limitMs)} and was ended.`,
  hint: 'Raise executionTimeLimit of the algorithm, or let its strategy give an execution fewer runs.',
});

function notStartedError(algorithm: string, directory: string, failure: unknown): ErrorText {
  const error = diskError(failure, `The logs of ${algorithm} cannot be made`, directory);
  if (error instanceof CafError) return errorText(error);
  return {
    code: 'CAF_ALGORITHM_CRASHED',
    message: `The child process for ${algorithm} could not be started: ${error instanceof Error ? error.message : String(error)}.`,
    hint: 'Check the limits of processes, files and memory (ulimit -a).',
  };
}

function crashError(algorithm: string, doing: Doing, death: Death, tail: string): ErrorText {
  const during = doingText(algorithm, doing);
  const lastWords = tail === '' ? '' : ` Its last words: ${tail}`;
  const error = (message: string, hint: string): ErrorText => ({ code: 'CAF_ALGORITHM_CRASHED', message: `${message}${lastWords}`, hint });
  if (tail.includes('heap out of memory')) {
    return error(
      `The child process ran out of memory during ${during}.`,
      'Give executions fewer runs, stream the records, or set NODE_OPTIONS=--max-old-space-size=8192.',
    );
  }
  if (death.how === 'signal') {
    return error(
      `The child process was ended by ${death.signal} during ${during}.`,
      death.signal === 'SIGKILL'
        ? 'Somebody, or the system for lack of memory, killed it. Start again: finished executions are kept.'
        : 'Start again: finished executions are kept. Look into stderr in its directory.',
    );
  }
  return error(
    `The child process ended with exit code ${death.code} during ${during}, without a result.`,
    'Look into stdout and stderr in its directory.',
  );
}

const TAIL_BYTES = 2048;
const TAIL_LINES = 3;

/** The last lines that were written to a log since it had `from` bytes. */
function readTail(path: string, from: number): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return '';
  const buffer = Buffer.alloc(size - start);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, buffer, 0, buffer.length, start);
  } finally {
    closeSync(fd);
  }
  return buffer.toString('utf8').trim().split('\n').slice(-TAIL_LINES).join(' | ');
}
