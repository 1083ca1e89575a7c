// One job of a function collector: builds what `collect` receives, calls it, and says how it went as a result.json.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CollectContext } from '../config/contexts.ts';
import type { UserFunction } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { describeFailure } from './algorithm-error.ts';
import { createChildLog } from './child-log.ts';
import { createConditionsReader } from './conditions-reader.ts';
import { type JobFile, RESULT_FILE, type ResultFile } from './contract.ts';
import { createRecordWriter } from './record-writer.ts';

/** Rejects with whatever user code throws; records are written through before it resolves. */
export async function collectJob(job: JobFile, collect: UserFunction, signal: AbortSignal): Promise<ResultFile> {
  const writer = createRecordWriter(job.outputDirectory, job.runs);
  const conditions = createConditionsReader(job.chain);
  const context: CollectContext = {
    files: job.files,
    arguments: job.arguments,
    record: writer.record,
    conditions,
    iteration: job.iteration,
    outputDirectory: job.outputDirectory,
    log: createChildLog(),
    signal,
  };
  try {
    await collect(context);
    const { runs, unexpected } = writer.finish();
    const warnings = unexpected.map(
      ([experiment, run]) => `it recorded experiment ${experiment}, run ${run}, which its files do not hold according to \`runs\``,
    );
    return { result: 'ok', token: job.token, ...(warnings.length === 0 ? {} : { warnings }), ...(runs === null ? {} : { runs }) };
  } finally {
    conditions.close();
  }
}

/** What result.json says of a job that failed with this error. */
export function failureResult(job: JobFile, error: unknown): ResultFile {
  const stack = error instanceof Error ? userFrames(error) : '';
  const hint = error instanceof CafError ? error.hint : undefined;
  return {
    result: 'failure',
    token: job.token,
    error: {
      code: codeOf(job, error),
      message: describeFailure(error, job.config),
      ...(hint === undefined ? {} : { hint }),
      ...(stack === '' ? {} : { stack }),
    },
  };
}

/** By rename: whoever sees result.json sees all of it. */
export function writeResult(job: JobFile, result: ResultFile): void {
  const path = join(job.outputDirectory, RESULT_FILE);
  const temporary = join(job.outputDirectory, `.${RESULT_FILE}.${job.token}`);
  writeFileSync(temporary, JSON.stringify(result));
  renameSync(temporary, path);
}

/** A system error about one of the job's own input files is told apart: trying again does not bring the file back. */
function codeOf(job: JobFile, error: unknown): string {
  if (error instanceof CafError) return error.code;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { path, code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') return 'CAF_DISK_FULL';
    if (code !== undefined && path !== undefined && job.files.includes(path)) return 'CAF_INPUT_MISSING';
  }
  return 'CAF_JOB_FAILED';
}

/** What the job's log says of an error: as Node would, without the lines that are not the user's; all of them where none is. */
export function logTextOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? error.message;
  if (userFrames(error) === '') return stack;
  return stack
    .split('\n')
    .filter((line) => !isFrame(line) || isOfTheUser(line))
    .join('\n');
}

/** The lines of the stack in files of the user: not Node's, not caf's. */
const userFrames = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => isFrame(line) && isOfTheUser(line))
    .join('\n');

const OWN = `${import.meta.dirname.endsWith('/src/worker') ? join(import.meta.dirname, '..') : import.meta.dirname}/`;
const isFrame = (line: string): boolean => /^\s+at /.test(line);
const isOfTheUser = (line: string): boolean => !line.includes('node:') && !line.includes(OWN);
