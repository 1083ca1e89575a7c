// A child process for function collectors: loads the config once, then does one job after the other as caf sends them; or, without a caf, the one that CAF_JOB names.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { UserFunction } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { collectJob, failureResult, logTextOf, writeResult } from './collect.ts';
import type { FromCollectorChild, JobFile, ResultFile, ToCollectorChild } from './contract.ts';
import { findCollection } from './find-function.ts';
import { redirectOutput, silenceOutput } from './redirect-output.ts';

/** How long user code may take to end by itself after the signal. */
const ABORT_MS = 500;

interface Current {
  readonly job: JobFile;
  readonly abort: AbortController;
  /** Ends the job with this error, whatever user code still does. */
  readonly fail: (error: unknown) => void;
}

let current: Current | null = null;
let isCollecting = false;
let stoppedBy: NodeJS.Signals | null = null;
let config: { readonly path: string; readonly loaded: Promise<unknown> } | null = null;

// For this process only, not for the programs that user code starts.
delete process.env.NODE_COMPILE_CACHE;

// Node decides here, while it is a file, that standard output is written synchronously: nothing is lost in a crash.
void process.stdout;
void process.stderr;

process.on('message', (message: ToCollectorChild) => {
  void doJob(message.jobFile);
});
process.on('disconnect', () => {
  if (current === null) leave(0);
});
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('uncaughtException', onStray);
process.on('unhandledRejection', onStray);
process.on('beforeExit', () => {
  current?.fail(
    new Error(`${isCollecting ? 'collect' : 'the config'} waits for a promise that can never settle: nothing is left to wait for`),
  );
});
process.on('exit', (code) => {
  // Only user code leaves in the middle of a job.
  if (current === null) return;
  const what = isCollecting ? 'collect called process.exit' : 'the process was ended while the config was being loaded, with process.exit';
  writeResult(current.job, failureResult(current.job, new Error(`${what}(${code})`)));
});

// On a node of a batch engine nobody sends anything.
if (process.send === undefined && process.env.CAF_JOB !== undefined) void doJob(process.env.CAF_JOB);

async function doJob(jobFile: string): Promise<void> {
  const job = JSON.parse(readFileSync(jobFile, 'utf8')) as JobFile;
  redirectOutput(job.outputDirectory);
  process.chdir(job.outputDirectory);
  const failed = Promise.withResolvers<never>();
  const abort = new AbortController();
  current = { job, abort, fail: failed.reject };
  isCollecting = false;
  // While user code runs, only what it waits for keeps the process alive: a promise that never settles is noticed.
  process.channel?.unref();

  let result: ResultFile;
  try {
    result = await Promise.race([runCollect(job, abort.signal), failed.promise]);
    if (stoppedBy !== null) throw new Error(`it was stopped by ${stoppedBy}`);
  } catch (error) {
    result = failureResult(job, error);
    process.stderr.write(`${logTextOf(error)}\n`);
  }
  finish(job, jobFile, result);
}

async function runCollect(job: JobFile, signal: AbortSignal): Promise<ResultFile> {
  const { collect } = findCollection(await loadConfigOnce(job.config), job.calibration, job.collection ?? '');
  if (typeof collect !== 'function') {
    throw new CafError('CAF_CONFIG_LOAD', `collect of ${job.calibration}/${job.collection} is no function in the child process`);
  }
  isCollecting = true;
  return collectJob(job, collect as UserFunction, signal);
}

async function loadConfigOnce(path: string): Promise<unknown> {
  if (config?.path !== path) config = { path, loaded: load(path) };
  return config.loaded;
}

async function load(path: string): Promise<unknown> {
  const { loadConfig, registerResolver } = await import('../config/load-config.ts');
  registerResolver();
  return (await loadConfig(path)).raw;
}

/** The result is in place before anybody is told. A result that cannot be written ends the process: that is what the job then ends with. */
function finish(job: JobFile, jobFile: string, result: ResultFile): void {
  try {
    writeResult(job, result);
  } catch (error) {
    process.stderr.write(`result.json could not be written: ${error instanceof Error ? error.message : String(error)}\n`);
    leave(1);
  }
  if (stoppedBy !== null) dieOf(stoppedBy);
  if (!process.connected) leave(0);
  silenceOutput();
  process.chdir(dirname(job.config));
  current = null;
  process.channel?.ref();
  tell({ type: 'finished', jobFile, failed: result.result === 'failure', rssBytes: process.memoryUsage.rss() });
}

/** Something user code threw outside of its call: from a timer, an event, a promise nobody awaits. */
function onStray(error: unknown): void {
  if (current === null) leave(1);
  current.fail(error);
}

function stop(signal: NodeJS.Signals): void {
  stoppedBy = signal;
  if (current === null) dieOf(signal);
  const reason = new Error(`it was stopped by ${signal}`);
  const { abort, fail } = current;
  abort.abort(reason);
  setTimeout(() => fail(reason), ABORT_MS);
}

function dieOf(signal: NodeJS.Signals): never {
  current = null;
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  return leave(1);
}

function leave(code: number): never {
  current = null;
  process.exit(code);
}

function tell(message: FromCollectorChild): void {
  // Without a parent there is nobody to tell: result.json says it all.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
