// Runs an algorithm as a job of a batch engine: starts or adopts it, passes on what it writes down, and tries again what ended for reasons of its surroundings.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { AttemptEnd, Backend, JobSubmission, RunningJob } from '../backends/backend.ts';
import { DEFAULT_RESOURCES } from '../config/check/check-backend.ts';
import type { AlgorithmListener, AlgorithmOutcome, AlgorithmRun, AlgorithmsRunner } from '../domain/algorithms-runner.ts';
import type { AlgorithmSpec, Resources } from '../domain/calibration.ts';
import { errorText } from '../domain/errors.ts';
import type { ErrorText } from '../domain/event.ts';
import type { ExecutionRecord } from '../domain/execution.ts';
import { type AttemptOutcome, isEngineJob } from '../domain/job.ts';
import { diskError } from '../payloads/disk.ts';
import { STDERR_FILE } from '../worker/contract.ts';
import {
  type AlgorithmAttempt,
  type AlgorithmMessage,
  acceptAttempt,
  askToStop,
  attemptDirectory,
  attemptPaths,
  attemptsIn,
  createMessageReader,
  noteEngineJob,
  noteOver,
  openAttempt,
  readEngineJob,
  writeAttempt,
} from './algorithm-attempts.ts';
import { failureOf, retryDecision } from './judge-attempt.ts';
import { lastLine } from './read-result.ts';

export interface EngineAlgorithmsRunnerOptions {
  readonly backend: Backend;
  /** Node, and the paths of the job's entry and of the strategy's child, as on the nodes. */
  readonly entry: { readonly job: readonly string[]; readonly child: string };
  /** Of the first attempt. */
  readonly resources: Resources;
  /** How often it may be tried again, where that counts. */
  readonly retries: number;
  /** Aborted when running jobs are to be ended; without it, a wish to stop leaves them. */
  readonly cancel: AbortSignal;
  /** How late the file system may show what was written. */
  readonly settleMs: number;
  /** Directory for compiled code, see ForkedAlgorithmsRunnerOptions. */
  readonly compileCache?: string | undefined;
}

/** Of its job: what it says, or else that of a collection, with time for an execution at least. */
export const algorithmResources = ({ resources, executionTimeLimitMs }: AlgorithmSpec): Resources =>
  resources ?? { ...DEFAULT_RESOURCES, timeMs: Math.max(DEFAULT_RESOURCES.timeMs, executionTimeLimitMs) };

const READ_MS = 200;

const CANCELLED: AlgorithmOutcome = { finalState: 'failed', gaps: null, error: null, cancelled: true };
const failed = (error: ErrorText): AlgorithmOutcome => ({ finalState: 'failed', gaps: null, error });

/** As caf's own runner, with the algorithm in a batch job. A run that is stopped leaves the job at work; the next one adopts it. */
export const createEngineAlgorithmsRunner = (options: EngineAlgorithmsRunnerOptions): AlgorithmsRunner => ({
  run: async (run, listener, signal) => {
    try {
      return await runOnEngine(options, run, listener, signal);
    } catch (error) {
      // The directory cannot be made, or the listener cannot go on: for instance, the journal cannot be written.
      return failed(errorText(error));
    }
  },
});

async function runOnEngine(
  options: EngineAlgorithmsRunnerOptions,
  run: AlgorithmRun,
  listener: AlgorithmListener,
  signal: AbortSignal,
): Promise<AlgorithmOutcome> {
  const { backend, cancel } = options;
  const { directory: home, algorithm } = run.job;
  const story = createStory(run.job.recorded, listener);
  /** Resolves when nobody waits any more; the job goes on. */
  const left = new Promise<'left'>((resolve) => {
    // Cancelling begins with the wish to stop, in the same turn.
    const leave = () => setImmediate(() => cancel.aborted || resolve('left'));
    for (const wish of [run.stopping, signal]) {
      if (wish.aborted) leave();
      else wish.addEventListener('abort', leave, { once: true });
    }
  });
  let { resources, memoryLimitBytes } = { resources: options.resources, memoryLimitBytes: run.memoryLimitBytes };
  let triesLeft = options.retries;
  let losses = 0;

  for (let attempt = openAttempt(home); ; attempt = null) {
    if (attempt === null && (run.stopping.aborted || signal.aborted)) return CANCELLED;
    const adopted = attempt === null ? null : adopt(options, attempt, run);
    const current = attempt ?? begin(home, run, { resources, memoryLimitBytes, recorded: story.executions });
    const { directory, file } = current;
    ({ resources } = file);
    // Ended by a caf that could not see the end.
    const wasUnwanted = existsSync(attemptPaths(directory).stop);
    const running = attempt === null ? backend.submit(submissionOf(options, current, run)) : adopted;
    const knownBefore = story.executions.length;
    // Of an earlier attempt: also what a journal that lost its last moments does not know.
    story.know(file.run.job.recorded);
    const messages = story.of(directory);
    const end = running === null ? GONE : await follow(running, directory, messages.read, left, cancel);
    if (end === 'left') return CANCELLED;
    const outcome = await messages.last(end.how === 'exited' && end.code === 0 ? options.settleMs : 0);
    backend.forget(directory);

    // What was recorded is on disk before its only other copy goes.
    await nextTurn();
    await nextTurn();
    if (outcome !== null && !isForTheEngine(outcome, end)) {
      acceptAttempt(home, directory);
      return outcome;
    }
    askToStop(directory);
    noteOver(directory);
    if (wasUnwanted) continue;
    if (end.how === 'cancelled') return CANCELLED;

    const failure = failureOfJob(end, outcome, directory);
    // Time ran out, but not in vain: it goes on after its last execution.
    const madeProgress = failure.cause === 'time-limit' && story.executions.length > knownBefore;
    if (failure.cause === 'node-lost') losses += 1;
    const retry = madeProgress ? { resources, counts: false } : retryDecision(failure, resources, losses);
    if (retry === null || (retry.counts && triesLeft === 0)) {
      return outcome?.error?.code === 'CAF_ALGORITHM_MEMORY' ? outcome : failed(jobError(algorithm, failure));
    }
    if (retry.counts) triesLeft -= 1;
    if (memoryLimitBytes !== null) memoryLimitBytes = Math.max(memoryLimitBytes, retry.resources.memoryBytes);
    resources = retry.resources;
    listener.warning(`The batch job of ${algorithm} is started again, finished executions are kept: ${failure.detail}`);
  }
}

const NO_USAGE = { seconds: 0, maxRssBytes: null };
const GONE: AttemptEnd = { how: 'node-lost', detail: 'its engine does not know it', usage: NO_USAGE };

/** Writes down what the next attempt does. */
function begin(
  home: string,
  { job, executionTimeLimitMs }: AlgorithmRun,
  given: { readonly resources: Resources; readonly memoryLimitBytes: number | null; readonly recorded: readonly ExecutionRecord[] },
): AlgorithmAttempt {
  const attempt = (attemptsIn(home).at(-1) ?? -1) + 1;
  const directory = attemptDirectory(home, attempt);
  const { resources, memoryLimitBytes, recorded } = given;
  return writeAttempt(directory, {
    v: 1,
    token: randomUUID(),
    attempt,
    resources,
    run: { job: { ...job, directory: attemptPaths(directory).work, recorded }, executionTimeLimitMs, memoryLimitBytes },
  });
}

function submissionOf({ entry, compileCache }: EngineAlgorithmsRunnerOptions, attempt: AlgorithmAttempt, run: AlgorithmRun): JobSubmission {
  const { directory, file } = attempt;
  const { calibration, iteration, algorithm } = run.job;
  return {
    calibration,
    iteration,
    collection: algorithm,
    job: 0,
    attempt: file.attempt,
    token: file.token,
    directory,
    resources: file.resources,
    isAlgorithm: true,
    task: {
      kind: 'program',
      argv: [...entry.job, directory, entry.child],
      env: run.env,
      ownEnv: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
      setup: [],
    },
  };
}

function adopt(options: EngineAlgorithmsRunnerOptions, attempt: AlgorithmAttempt, run: AlgorithmRun): RunningJob | null {
  return options.backend.adopt(submissionOf(options, attempt, run), readEngineJob(attempt.directory));
}

/** Reads what it says until the engine says that it has ended, or nobody waits any more. */
async function follow(
  running: RunningJob,
  directory: string,
  read: () => void,
  left: Promise<'left'>,
  cancel: AbortSignal,
): Promise<AttemptEnd | 'left'> {
  const onCancel = () => {
    askToStop(directory);
    void running.cancel();
  };
  if (cancel.aborted) onCancel();
  else cancel.addEventListener('abort', onCancel, { once: true });
  const { promise: broken, reject } = Promise.withResolvers<never>();
  running.started
    .then((handle) => {
      if (handle !== null && isEngineJob(handle)) noteEngineJob(directory, handle);
    })
    .catch((error: unknown) => reject(diskError(error, 'What the engine calls the job of an algorithm cannot be written down', directory)));
  const reading = setInterval(() => {
    try {
      read();
    } catch (error) {
      reject(error);
    }
  }, READ_MS);
  try {
    const end = await Promise.race([running.ended, left, broken]);
    if (end === 'left') read();
    return end;
  } finally {
    clearInterval(reading);
    cancel.removeEventListener('abort', onCancel);
  }
}

/** What all attempts together have said. None of it is told twice. */
function createStory(recorded: readonly ExecutionRecord[], listener: AlgorithmListener) {
  const executions = [...recorded];
  let reports = 0;
  let outcome: AlgorithmOutcome | null = null;

  const know = (finished: readonly ExecutionRecord[]): void => {
    for (const execution of finished) {
      if (execution.seq !== executions.length) continue;
      executions.push(execution);
      listener.executionFinished(execution);
    }
  };
  const tell = (message: AlgorithmMessage): void => {
    switch (message.type) {
      case 'ready':
        listener.ready(message.runs);
        return;
      case 'execution.started':
        if (message.seq >= executions.length) listener.executionStarted(message.seq, message.runs, message.iov);
        return;
      case 'execution.finished':
        know([message.execution]);
        return;
      case 'result.reported':
        if (message.report.seq !== reports) return;
        reports += 1;
        listener.resultReported(message.report);
        return;
      case 'warning':
        listener.warning(message.message);
        return;
      case 'outcome':
        outcome ??= message.outcome;
    }
  };

  return {
    executions: executions as readonly ExecutionRecord[],
    know,
    of(directory: string) {
      const next = createMessageReader(directory);
      outcome = null;
      const read = () => {
        for (const message of next()) tell(message);
      };
      return {
        read,
        /** How it says that it ended; null = it has not said it, within this time. */
        async last(withinMs: number): Promise<AlgorithmOutcome | null> {
          const until = performance.now() + withinMs;
          for (read(); outcome === null && performance.now() < until; read()) await delay(READ_MS);
          return outcome;
        },
      };
    },
  };
}

/** The engine can know why the child died, and a limit of memory can be raised. */
const isForTheEngine = ({ error }: AlgorithmOutcome, end: AttemptEnd): boolean =>
  error?.code === 'CAF_ALGORITHM_MEMORY' ||
  (error?.code === 'CAF_ALGORITHM_CRASHED' && end.how !== 'exited' && end.how !== 'signalled' && end.how !== 'unknown');

type Failure = Extract<AttemptOutcome, { state: 'failed' }>;

function failureOfJob(end: Exclude<AttemptEnd, { how: 'cancelled' }>, outcome: AlgorithmOutcome | null, directory: string): Failure {
  if (outcome?.error?.code === 'CAF_ALGORITHM_MEMORY') return { state: 'failed', cause: 'out-of-memory', detail: outcome.error.message };
  if (end.how === 'exited' && end.code === 0)
    return { state: 'failed', cause: 'bad-result', detail: 'it ended without a word about the algorithm' };
  const { cause, detail } = failureOf(end);
  const path = join(directory, STDERR_FILE);
  const words = cause === 'exit' && existsSync(path) ? lastLine(path) : null;
  return { state: 'failed', cause, detail: words === null ? detail : `${detail}: ${words}` };
}

function jobError(algorithm: string, { cause, detail }: Failure): ErrorText {
  const message = `The batch job of ${algorithm} failed: ${detail}`;
  switch (cause) {
    case 'out-of-memory':
      return { code: 'CAF_ALGORITHM_MEMORY', message, hint: `raise resources.memory of ${algorithm}, or make it need less` };
    case 'time-limit':
      return {
        code: 'CAF_ALGORITHM_TIMEOUT',
        message,
        hint: `raise resources.time of ${algorithm}: it has to be enough for one execution`,
      };
    default:
      return {
        code: 'CAF_ALGORITHM_JOB',
        message,
        hint: 'see its logs with caf logs CALIBRATION/ITERATION/ALGORITHM, mend the cause, and type caf run again',
      };
  }
}
