// Runs a program algorithm: its directory with job.json, the program itself, and result.json read with distrust.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, createWriteStream, openSync, statSync } from 'node:fs';
import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProgramContainer } from '../domain/algorithms-runner.ts';
import { ALGORITHM_RESULTS, type AlgorithmResult, type Command } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { Run } from '../domain/iov.ts';
import { readAllStats, readStat } from '../host/process-tree.ts';
import { readAppended } from '../host/read-appended.ts';
import { signalName } from '../host/signal-name.ts';
import type { PayloadQueue } from './commit.ts';
import { containerArgv, containerVariables, runtimeEnvironment } from './container.ts';
import { JOB_FILE, type JobData, type JobFile, RESULT_FILE, STDERR_FILE, STDOUT_FILE } from './contract.ts';
import type { CollectedData } from './data.ts';
import { expandArgv, type PlaceholderValues } from './placeholders.ts';

/** Replaces a directory of an earlier invocation by an empty one. */
export async function makeEmptyDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
}

/** The records of these runs and nothing else: files that hold just them as they are, of the others a copy of the lines in `directory`. */
export async function gatherData(data: CollectedData, runs: readonly Run[], directory: string): Promise<JobData> {
  const records: string[] = [];
  for (const [position, part] of data.recordsParts(runs).entries()) {
    if (part.whole) {
      records.push(part.path);
      continue;
    }
    const copy = join(directory, `data-${position}.ndjson`);
    // A setup works where an earlier one may have, which was begun before caf was killed.
    const out = createWriteStream(copy);
    // Whoever writes is told by its callback.
    out.on('error', () => undefined);
    const write = (lines: string): Promise<void> =>
      new Promise((resolve, reject) => out.write(lines, (error) => (error ? reject(error) : resolve())));
    await data.copyRecords(part, runs, write);
    await new Promise<void>((resolve, reject) => out.end((error?: Error | null) => (error ? reject(error) : resolve())));
    records.push(copy);
  }
  return { records, files: data.of(runs).files() };
}

const running = new Set<ChildProcess>();

/** Asks programs that run to end, and waits until they have. */
export async function stopPrograms(): Promise<void> {
  const ended = [...running].map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(ended);
}

export interface ProgramEnd {
  /** Null: it ended with exit status 0. Otherwise a sentence. */
  readonly problem: string | null;
}

/**
 * Writes job.json, runs the program in its directory and waits until it has ended. What it leaves behind in this process's session is ended too.
 * Rejects with CAF_PLACEHOLDER, and when job.json cannot be written.
 */
export async function runProgram(
  command: Command,
  job: JobFile,
  configDirectory: string,
  env: Readonly<Record<string, string | undefined>>,
  ownLogs: boolean,
  container: ProgramContainer | null = null,
): Promise<ProgramEnd> {
  const directory = job.outputDirectory;
  const values: PlaceholderValues = {
    config: configDirectory,
    files: job.files,
    output: directory,
    iteration: job.iteration,
    parameters: job.parameters,
  };
  const jobFile = join(directory, JOB_FILE);
  const expanded = expandArgv(command.argv, values);
  const inside = container === null ? null : containedIn(container, expanded, job, configDirectory, jobFile);
  const [program = '', ...rest] = inside === null ? expanded : inside.argv;
  await writeFile(`${jobFile}.new`, `${JSON.stringify(job, null, 2)}\n`);
  await rename(`${jobFile}.new`, jobFile);
  const logs = ownLogs ? [openSync(join(directory, STDOUT_FILE), 'a'), openSync(join(directory, STDERR_FILE), 'a')] : [];
  const ended = new Promise<string | null>((resolve) => {
    const child = spawn(program, rest, {
      cwd: directory,
      env: inside === null ? { ...env, CAF_JOB: jobFile } : { ...inside.env },
      // Not detached: it stays in the group and session of this child, so that whoever ends the one ends the other.
      stdio: ['ignore', logs[0] ?? 'inherit', logs[1] ?? 'inherit'],
    });
    running.add(child);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOENT'
          ? 'was not found'
          : error.code === 'EACCES'
            ? 'is not executable'
            : `could not be started: ${error.message}`;
      running.delete(child);
      resolve(`the program ${JSON.stringify(program)} ${why}`);
    });
    child.once('exit', (code, signal) => {
      running.delete(child);
      if (code === 0) resolve(null);
      else if (signal !== null) resolve(`${program} was ended by ${signal}`);
      else resolve(`${program} exited with code ${code}${code !== null && code > 128 ? signalHint(code - 128) : ''}`);
    });
  });
  for (const fd of logs) closeSync(fd);
  const problem = await ended;
  endStrays();
  if (!ownLogs) return { problem };
  const lastLine = problem === null ? '' : lastLineOf(join(directory, STDERR_FILE));
  for (const log of [STDOUT_FILE, STDERR_FILE])
    if (statSync(join(directory, log), { throwIfNoEntry: false })?.size === 0) await rm(join(directory, log), { force: true });
  return { problem: problem === null || lastLine === '' ? problem : `${problem}; the last line of its stderr: ${lastLine}` };
}

/** The command and its environment that run a program in a container. Its limits are those of the strategy's child. */
function containedIn(
  container: ProgramContainer,
  argv: readonly string[],
  job: JobFile,
  configDirectory: string,
  jobFile: string,
): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const own = { ...container.env, CAF_JOB: jobFile };
  return {
    argv: containerArgv(container, {
      argv,
      directory: job.outputDirectory,
      reads: [configDirectory, container.results, ...job.files.map((file) => dirname(file))],
      env: own,
      memoryBytes: null,
      timeMs: container.timeMs,
    }),
    env: { ...runtimeEnvironment(container, process.env), ...containerVariables(container, own) },
  };
}

const TAIL_BYTES = 4096;

const signalHint = (number: number): string => {
  const name = signalName(number);
  return name === null ? '' : ` (a shell's way to say ${name})`;
};

/** Of a log that may be long. */
function lastLineOf(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const text = readAppended(path, Math.max(0, size - TAIL_BYTES), TAIL_BYTES)
    .toString('utf8')
    .trimEnd();
  return text.slice(text.lastIndexOf('\n') + 1).slice(0, 300);
}

/** Ends processes that a program left behind in our session. Where there is no /proc, caf ends them together with this child. */
function endStrays(): void {
  // Only when this child leads its session: started by hand, the session is the user's.
  if (readStat(process.pid)?.session !== process.pid) return;
  for (const { pid, session } of readAllStats()) {
    if (session !== process.pid || pid === process.pid) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** What a program said of one execution. */
export interface ProgramAnswer {
  readonly result: AlgorithmResult;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const FIRST_CHARACTERS = 60;

/** result.json as an object. Rejects with CAF_RESULT_INVALID: missing, half-written, or of another execution. */
export async function readProgramResult(directory: string, token: string): Promise<Readonly<Record<string, unknown>>> {
  const path = join(directory, RESULT_FILE);
  let text: string;
  try {
    if (!(await lstat(path)).isFile()) throw invalid(`${path} is not a regular file`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw invalid('it ended without a result.json');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`its result.json is not JSON and begins with ${JSON.stringify(text.slice(0, FIRST_CHARACTERS))}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('its result.json is not an object');
  const fields = value as Readonly<Record<string, unknown>>;
  if (fields.token !== undefined && fields.token !== token) throw invalid('its result.json carries the token of another execution');
  return fields;
}

/** Queues the payloads of a result and gives back the rest. Rejects with CAF_RESULT_INVALID and with what the queue refuses. */
export async function acceptProgramResult(
  fields: Readonly<Record<string, unknown>>,
  queue: PayloadQueue,
  directory: string,
): Promise<ProgramAnswer> {
  const result = ALGORITHM_RESULTS.find((word) => word === fields.result);
  if (result === undefined) {
    throw invalid(`its result.json says ${JSON.stringify(fields.result)} as "result"; expected one of ${ALGORITHM_RESULTS.join(', ')}`);
  }
  const { payloads = [], metadata = {} } = fields;
  if (!Array.isArray(payloads)) throw invalid('"payloads" in its result.json is not a list');
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw invalid('"metadata" in its result.json is not an object');
  for (const [position, payload] of payloads.entries()) {
    const { name, file, iov, value, parts } = (payload ?? {}) as { readonly [key: string]: unknown; iov?: never; parts?: never };
    if (typeof name !== 'string') throw invalid(`payloads[${position}] in its result.json has no "name"`);
    const options = iov === undefined ? undefined : { iov };
    if (typeof file === 'string') {
      await refuseSymbolicLink(name, join(directory, file), file);
      await queue.commitFile(name, file, options);
    } else if (Object.hasOwn(payload, 'value')) queue.commit(name, value, options);
    else if (parts !== undefined) queue.commitIntraRun(name, parts, options);
    else throw invalid(`payloads[${position}] (${name}) in its result.json has none of "value", "file" and "parts"`);
  }
  return { result, metadata: metadata as ProgramAnswer['metadata'] };
}

async function refuseSymbolicLink(name: string, path: string, shown: string): Promise<void> {
  const entry = await lstat(path).catch(() => null); // missing: commitFile says so
  if (entry?.isSymbolicLink() !== true) return;
  throw new CafError('CAF_PAYLOAD_FILE', `The file of ${name}, ${JSON.stringify(shown)}, is a symbolic link.`, {
    hint: 'Write the payload as a regular file in the output directory.',
  });
}

/** The boundaries a findBoundaries program answered with. */
export function boundariesOf(fields: Readonly<Record<string, unknown>>): unknown {
  if (fields.result !== 'ok') throw invalid(`its result.json says ${JSON.stringify(fields.result)} as "result"; expected ok`);
  return fields.boundaries;
}

const invalid = (problem: string, cause?: unknown): CafError =>
  new CafError('CAF_RESULT_INVALID', problem, {
    hint: 'A program writes result.json under another name and renames it: { "result": "ok", "payloads": [...] }.',
    ...(cause === undefined ? {} : { cause }),
  });
