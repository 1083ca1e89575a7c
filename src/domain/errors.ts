// The one error class users see, and the table of its codes. docs/errors.md and this table are compared by a test.

/** code -> one sentence for docs/errors.md. Codes are never renamed or reused. Keep sorted by area. */
export const ERROR_CODES = {
  // config and command line (exit 2)
  CAF_CONFIG_NOT_FOUND: 'The config file does not exist.',
  CAF_CONFIG_LOAD: 'The config file could not be loaded: it throws, imports something missing, or takes too long.',
  CAF_CONFIG_EXPORT: 'The config file has no default export made by defineConfig.',
  CAF_CONFIG_INVALID: 'The config has problems; all are listed.',
  CAF_CONFIG_CYCLE: 'Calibrations wait for each other in a circle.',
  CAF_USAGE: 'The command line has a mistake.',
  CAF_INPUT_MISSING: 'Input files of a collection are missing or unreadable.',
  CAF_SUBMIT_REFUSED: 'A batch engine refuses the campaign as one job.',
  CAF_NODE_VERSION: 'This Node is too old for caf.',
  // results directory and journal (exit 3 unless said otherwise)
  CAF_RESULTS_LOCKED: 'Another caf works on this results directory.',
  CAF_RESULTS_NOT_FOUND: 'There is no results directory, or it has no journal.',
  CAF_RESULTS_INCOMPLETE: 'Calibrations of a results directory have no result yet, or one that is outdated.',
  CAF_RESULTS_UNWRITABLE: 'The results directory cannot be written.',
  CAF_JOURNAL_DAMAGED: 'caf.db is damaged, empty or truncated.',
  CAF_JOURNAL_FOREIGN: 'caf.db is not a journal of caf.',
  CAF_JOURNAL_NEWER: 'caf.db was written by a newer caf.',
  CAF_JOURNAL_MISSING: 'The directory holds results of caf, but no caf.db.',
  CAF_ARCHIVE_DAMAGED: 'An archive of finished jobs cannot be read.',
  CAF_LEASE_LOST: 'Another caf took this results directory over; this one must not write any more.',
  CAF_BACKEND_UNAVAILABLE: 'The commands of a batch engine are not here, or do not work.',
  CAF_DISK_FULL: 'The disk is full, or a quota is reached.',
  CAF_BACKGROUND: 'The caf in the background ended before it had begun.',
  CAF_SUBMIT: 'A batch engine did not take the campaign, or did not say whether it has.',
  CAF_SYSTEM: 'The system refuses a file or a process.',
  CAF_INTERNAL: 'A bug in caf.',
  // running (exit 1)
  CAF_STRAY_ERROR: 'The config has left an error uncaught, after it was loaded.',
  CAF_JOB_FAILED: 'Jobs of a collection failed.',
  CAF_NO_INPUT: 'No input file is left for a collection.',
  CAF_RECORDS_DAMAGED: 'A line of records.ndjson cannot be read.',
  CAF_RESULT_INVALID: 'The result.json of a program is missing, half-written or wrong.',
  CAF_PLACEHOLDER: "A placeholder in a program's arguments means nothing, or has no value.",
  CAF_NO_RUNS: 'No data run is left for an algorithm.',
  CAF_NO_PAYLOADS: 'An algorithm ended well but committed no payload.',
  CAF_ALGORITHM_FAILED: 'A strategy reported results that are not ok.',
  CAF_ALGORITHM_CHANGED: 'A strategy asks for other executions than before it was interrupted.',
  CAF_ALGORITHM_CRASHED: 'The child process of an algorithm died.',
  CAF_ALGORITHM_TIMEOUT: 'An execution took longer than its time limit.',
  CAF_ALGORITHM_MEMORY: 'The child process of an algorithm and its programs used more memory than their limit.',
  CAF_ALGORITHM_JOB: 'The batch job that runs an algorithm ended without it.',
  CAF_ALGORITHM_SETUP: 'The setup of an algorithm failed.',
  CAF_NOT_CONVERGED: 'maxIterations was reached without convergence.',
  // payloads and databases
  CAF_PAYLOAD_INVALID: 'A payload is not finite, not serialisable or does not match its schema.',
  CAF_PAYLOAD_UNDEFINED: 'No payload of this name is defined.',
  CAF_PAYLOAD_TWICE: 'One execution committed two different values under one name and interval.',
  CAF_PAYLOAD_VERSION: 'A payload was written with another version of its definition, and cannot be read with this one.',
  CAF_PAYLOAD_EVENT: 'An intra-run payload was asked for without the number of an event.',
  CAF_PAYLOAD_NAME: 'A payload name is not allowed.',
  CAF_PAYLOAD_FILE: 'A file payload is missing or lies outside its directory.',
  CAF_IOV_FORMAT: 'An interval is not four whole numbers.',
  CAF_IOV_NEGATIVE: 'An interval has a negative bound that is not an open end.',
  CAF_IOV_ORDER: 'An interval ends before it begins.',
  CAF_IOV_OPEN: 'An interval is open in the experiment but not in the run.',
  CAF_IOV_EMPTY: 'The interval -1,-1,-1,-1 is empty.',
  CAF_IOV_RANGE: 'An interval lies outside the domain of experiments and runs.',
  CAF_DB_NOT_FOUND: 'No payload is valid for this run in any database of the chain.',
  CAF_DB_MISSING: 'A local database does not exist or is not one.',
  CAF_DB_DAMAGED: 'A local database is damaged.',
  CAF_DB_NEWER: 'A local database was written by a newer caf.',
  CAF_DB_SEALED: 'A sealed database cannot be changed.',
  CAF_DB_EXISTS: 'There is already a database at the target.',
  CAF_DB_LOCKED: 'The database is locked by another process.',
  CAF_DB_LINE: 'A line of database.txt cannot be read.',
  CAF_DB_VERSION_MISMATCH: 'A database is not the version its lock file names.',
  CAF_DB_REF: 'A branch, tag or version is not known, or its name cannot be used.',
  CAF_DB_REF_MOVED: 'A branch or tag was moved by somebody else meanwhile.',
  CAF_DB_CONFLICT: 'Two versions changed the same intervals in different ways.',
  CAF_DB_NO_BASE: 'Two versions have no nearest common ancestor.',
  CAF_DB_UPDATE: 'A staging database cannot update a running one.',
  CAF_DB_STATE: 'The state of a database does not allow this.',
  CAF_DB_DRAFT: 'A draft of a running iteration cannot be used here.',
  CAF_DB_PAYLOAD_MISSING: 'The bytes of a payload are missing.',
  CAF_DB_PAYLOAD_CORRUPT: 'The bytes of a payload are not the ones that were committed.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface CafErrorOptions {
  /** One thing to do, or one command. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Further problems of the same kind, each with its place; shown as a list. */
  readonly problems?: readonly Problem[];
  /** Where in the user's files. */
  readonly at?: { readonly file: string; readonly line: number; readonly column?: number };
}

/** One problem of many: where it is, and what is wrong with it. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** What users see. The message says what is true, with names and numbers. A plain Error means a bug. */
export class CafError extends Error {
  override readonly name = 'CafError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];
  readonly at: CafErrorOptions['at'];

  constructor(code: ErrorCode, message: string, options: CafErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.problems = options.problems ?? [];
    this.at = options.at;
  }
}

/** A message of the user's code goes into the journal, every log and onto the screen; the whole of it is in the log of its own process. */
const MAX_CHARACTERS = 2000;

export const bounded = (text: string): string =>
  text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}... (${text.length} characters)`;

export const errorText = (error: unknown): { readonly code: string; readonly message: string; readonly hint?: string } =>
  error instanceof CafError
    ? { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
    : { code: 'CAF_INTERNAL', message: error instanceof Error ? error.message : String(error) };
