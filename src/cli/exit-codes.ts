// What the exit codes of caf mean, and which error ends with which.
import { CafError, ERROR_CODES, type ErrorCode } from '../domain/errors.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_INPUT = 2;
export const EXIT_TROUBLE = 3;

export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT_DONE, 'everything asked for was done (also when a calibration did not converge: that is a warning)'],
  [EXIT_FAILED, 'it ran, and something failed'],
  [EXIT_INPUT, 'it did not start: fix your input'],
  [EXIT_TROUBLE, 'caf or its surroundings failed: a bug, a lock, a damaged file, a full disk'],
  [129, 'interrupted by SIGHUP: can be continued'],
  [130, 'interrupted by SIGINT (Ctrl-C): can be continued'],
  [143, 'interrupted by SIGTERM or caf cancel: can be continued'],
];

const INPUT_CODES: readonly ErrorCode[] = [
  'CAF_USAGE',
  'CAF_INPUT_MISSING',
  'CAF_SUBMIT_REFUSED',
  'CAF_NODE_VERSION',
  'CAF_RESULTS_NOT_FOUND',
  'CAF_RESULTS_INCOMPLETE',
  'CAF_DB_MISSING',
  'CAF_DB_SEALED',
  'CAF_DB_EXISTS',
  'CAF_DB_LINE',
  'CAF_DB_DRAFT',
  'CAF_DB_STATE',
  'CAF_DB_REF',
  'CAF_DB_NO_BASE',
];

const FAILED_CODES: readonly ErrorCode[] = [
  'CAF_STRAY_ERROR',
  'CAF_JOB_FAILED',
  'CAF_NO_INPUT',
  'CAF_RECORDS_DAMAGED',
  'CAF_RESULT_INVALID',
  'CAF_PLACEHOLDER',
  'CAF_NO_RUNS',
  'CAF_NO_PAYLOADS',
  'CAF_NOT_CONVERGED',
  'CAF_DB_NOT_FOUND',
  'CAF_DB_REF_MOVED',
  'CAF_DB_CONFLICT',
  'CAF_DB_UPDATE',
];

/** What is not listed is trouble: better a 3 too many than a damaged result taken for a mistake in the input. */
export function exitCodeFor(code: string): number {
  if (/^CAF_(CONFIG|IOV)_/.test(code) || (INPUT_CODES as readonly string[]).includes(code)) return EXIT_INPUT;
  if (/^CAF_(ALGORITHM|PAYLOAD)_/.test(code) || (FAILED_CODES as readonly string[]).includes(code)) return EXIT_FAILED;
  return EXIT_TROUBLE;
}

/** Whether an error of a calibration is the fault of caf or its surroundings: a full disk, for instance. Codes of programs are their own. */
export const isTroubleCode = (code: string): boolean => code in ERROR_CODES && exitCodeFor(code) === EXIT_TROUBLE;

export const exitCodeOf = (error: unknown): number => (error instanceof CafError ? exitCodeFor(error.code) : EXIT_TROUBLE);

/** 128 + number of the signal, as shells count. `caf cancel` counts as the signal by which others end a process. */
export function exitCodeOfSignal(signal: string): number {
  return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, 'caf cancel': 143 }[signal] ?? EXIT_TROUBLE;
}
