// What an algorithm on a batch engine consists of on disk: a directory per attempt, with what it is to do, what it says, and the wish that it ends.
import {
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { AlgorithmOutcome, AlgorithmRun } from '../domain/algorithms-runner.ts';
import type { Resources } from '../domain/calibration.ts';
import type { ExecutionRecord } from '../domain/execution.ts';
import type { EngineJob } from '../domain/job.ts';
import { createLineReader } from '../host/read-appended.ts';
import { type FromStrategyChild, JOB_FILE } from '../worker/contract.ts';

/** job.json of an attempt: the wish to start. `run.job.directory` is its working directory. */
export interface AlgorithmJobFile {
  readonly v: 1;
  readonly token: string;
  readonly attempt: number;
  readonly resources: Resources;
  readonly run: Pick<AlgorithmRun, 'job' | 'executionTimeLimitMs' | 'memoryLimitBytes'>;
}

export interface AlgorithmAttempt {
  /** Absolute: `<calibration>/<iteration>/algorithms/<algorithm>/.attempt-<n>`. */
  readonly directory: string;
  readonly file: AlgorithmJobFile;
}

/** What an attempt says, one line each. Values of payloads are not among it: they go to the object store. */
export type AlgorithmMessage =
  | Extract<FromStrategyChild, { type: 'ready' | 'execution.started' | 'execution.finished' | 'result.reported' | 'warning' }>
  /** Exactly one, last. Missing where the engine ended the attempt. */
  | { readonly type: 'outcome'; readonly outcome: AlgorithmOutcome };

/** Exit status of a job whose strategy child died: as a shell tells of SIGKILL, which makes the engine's word on memory be looked for. */
export const CRASHED_STATUS = 137;

const DIRECTORY = /^\.attempt-(\d+)$/;

export const attemptPaths = (directory: string) => ({
  job: join(directory, JOB_FILE),
  /** Working directory of the algorithm. */
  work: join(directory, 'work'),
  messages: join(directory, 'messages.ndjson'),
  /** There: it is to end. */
  stop: join(directory, 'stop'),
  /** What the engine calls it. */
  engine: join(directory, 'engine.json'),
  /** There: its end is known, and nobody asks again. */
  over: join(directory, 'over'),
});

/** Numbers of the attempts that an algorithm's directory has, in order. */
export function attemptsIn(algorithm: string): readonly number[] {
  let names: readonly string[];
  try {
    names = readdirSync(algorithm);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((name) => (DIRECTORY.test(name) ? [Number(name.slice('.attempt-'.length))] : [])).sort((a, b) => a - b);
}

export const attemptDirectory = (algorithm: string, attempt: number): string => join(algorithm, `.attempt-${attempt}`);

/** Everything it needs is there when this returns. Values of environments may be secret: only their owner reads them. */
export function writeAttempt(directory: string, file: AlgorithmJobFile): AlgorithmAttempt {
  const paths = attemptPaths(directory);
  // Left by a caf that was killed while it wrote the file.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(paths.work, { recursive: true });
  // On the disk before it has its name: an empty one would be taken for an attempt.
  writeFileSync(`${paths.job}.new`, JSON.stringify(file), { mode: 0o600, flush: true });
  renameSync(`${paths.job}.new`, paths.job);
  return { directory, file };
}

/** The newest attempt that is not over; null = there is none. */
export function openAttempt(algorithm: string): AlgorithmAttempt | null {
  const newest = attemptsIn(algorithm).at(-1);
  if (newest === undefined) return null;
  const directory = attemptDirectory(algorithm, newest);
  const paths = attemptPaths(directory);
  if (!existsSync(paths.job) || existsSync(paths.over)) return null;
  return { directory, file: JSON.parse(readFileSync(paths.job, 'utf8')) as AlgorithmJobFile };
}

/** Null = nobody wrote it down. */
export function readEngineJob(directory: string): EngineJob | null {
  try {
    return JSON.parse(readFileSync(attemptPaths(directory).engine, 'utf8')) as EngineJob;
  } catch {
    // Not there, or half-written by a caf that was killed: its array is found by the token.
    return null;
  }
}

export const noteEngineJob = (directory: string, job: EngineJob): void =>
  writeFileSync(attemptPaths(directory).engine, JSON.stringify(job));
export const noteOver = (directory: string): void => writeFileSync(attemptPaths(directory).over, '');
/** One that the engine does not reach any more finds it when it looks. */
export const askToStop = (directory: string): void => writeFileSync(attemptPaths(directory).stop, '');

/** Attempts of algorithms of this calibration that an earlier caf has left at work, from an iteration on. */
export function leftAttempts(output: string, calibration: string, fromIteration = 0) {
  const home = join(output, calibration);
  if (!existsSync(home)) return [];
  return readdirSync(home)
    .filter((name) => /^\d+$/.test(name) && Number(name) >= fromIteration)
    .flatMap((iteration) => {
      const algorithms = join(home, iteration, 'algorithms');
      return existsSync(algorithms) ? readdirSync(algorithms).map((name) => join(algorithms, name)) : [];
    })
    .filter((directory) => statSync(directory).isDirectory())
    .flatMap((directory) => openAttempt(directory) ?? []);
}

/** Puts what the attempt made where an algorithm on this machine would have made it, and removes the attempt. Done twice it finds the work done. */
export function acceptAttempt(algorithm: string, directory: string): void {
  const { work } = attemptPaths(directory);
  for (const name of existsSync(work) ? readdirSync(work) : []) {
    const to = join(algorithm, name);
    rmSync(to, { recursive: true, force: true });
    renameSync(join(work, name), to);
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

// --------------------------------------------------------------------------------------------------------------- messages

const IS_RECORDED: Readonly<Record<AlgorithmMessage['type'], boolean>> = {
  ready: false,
  'execution.started': false,
  warning: false,
  'execution.finished': true,
  'result.reported': true,
  outcome: true,
};

/** For the attempt itself. What caf records is on the disk when `write` returns. */
export function createMessageWriter(directory: string): (message: AlgorithmMessage) => void {
  const fd = openSync(attemptPaths(directory).messages, 'a');
  return (message) => {
    // One write per line: a line is there as a whole or, after a crash, without its end.
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
    if (IS_RECORDED[message.type]) fsyncSync(fd);
  };
}

/** Gives what was said since the last call. */
export function createMessageReader(directory: string): () => readonly AlgorithmMessage[] {
  const next = createLineReader(attemptPaths(directory).messages);
  return () => next().flatMap((line) => (line === '' ? [] : [parsed(line)]));
}

/** All executions that it knows to be finished, in order. */
export const executionsOf = ({ directory, file }: AlgorithmAttempt): readonly ExecutionRecord[] => [
  ...file.run.job.recorded,
  ...createMessageReader(directory)().flatMap((message) => (message.type === 'execution.finished' ? [message.execution] : [])),
];

function parsed(line: string): AlgorithmMessage {
  try {
    const message: unknown = JSON.parse(line);
    if (typeof message === 'object' && message !== null && Object.hasOwn(IS_RECORDED, (message as { type?: string }).type ?? ''))
      return message as AlgorithmMessage;
  } catch {
    // Somebody else has written into the file.
  }
  return { type: 'warning', message: `its messages hold a line that means nothing to caf: ${line.slice(0, 60)}` };
}
