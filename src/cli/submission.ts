// What is known of a campaign that was submitted as a batch job: one record per results directory, beside the files the engine was given.
import { readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeLinkedLog } from '../backends/log-place.ts';
import { makeDirectories } from '../host/make-directories.ts';

/** No calibration can have this name. */
const DIRECTORY = '.submit';
const RECORD = 'job.json';
/** What the engine itself has to say. */
export const LOG = 'log';
/** What the engine answered when it was asked to take the job. */
export const ANSWER = 'answer';
/** Made by the job when it begins. */
export const BEGUN = 'begun';

export interface Submission {
  readonly v: 1;
  /** Name of the backend: `slurm`. */
  readonly engine: string;
  /** By which the engine finds it when its id is not known. */
  readonly name: string;
  /** Of the array with one task; null = the engine has not answered: it was killed while it asked, or the answer was lost. */
  readonly id: string | null;
  /** ISO time. */
  readonly at: string;
  /** user@host. */
  readonly by: string;
  /** Number of the newest invocation at that time; 0 = there was none. A newer one has begun since. */
  readonly after: number;
}

/** Absolute path of a file of the submission of this name; its directory exists from `recordSubmission` on. */
export const submissionFile = (results: string, name: string, file: string): string => join(results, DIRECTORY, name, file);

/** Makes the directory of the submission, and replaces the record by rename. */
export function recordSubmission(results: string, submission: Submission): void {
  const path = join(results, DIRECTORY, RECORD);
  makeDirectories(join(results, DIRECTORY, submission.name));
  writeFileSync(`${path}.new`, `${JSON.stringify(submission)}\n`);
  renameSync(`${path}.new`, path);
}

/** Null where nothing was submitted. */
export function readSubmission(results: string): Submission | null {
  try {
    const value = JSON.parse(readFileSync(join(results, DIRECTORY, RECORD), 'utf8')) as Partial<Submission> | null;
    return value?.v === 1 && typeof value.engine === 'string' && typeof value.name === 'string' && typeof value.after === 'number'
      ? (value as Submission)
      : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Half a record there cannot be; one that is damaged tells as little as none.
    if (code === undefined || code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

/** The engine does not know it, or does not know it any more: the record goes, and its files unless the engine has said something there. */
export function forgetSubmission(results: string, { name }: Submission): void {
  rmSync(join(results, DIRECTORY, RECORD), { force: true });
  const log = submissionFile(results, name, LOG);
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  removeLinkedLog(log);
  rmSync(join(results, DIRECTORY, name), { recursive: true, force: true });
  try {
    rmdirSync(join(results, DIRECTORY));
  } catch {
    // Others have said something.
  }
}
