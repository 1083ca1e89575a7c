// Opening caf.db: made under a temporary name, recognised before use, its errors put into words.
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type Database from 'better-sqlite3';
import { CafError } from '../domain/errors.ts';
import { JOURNAL_FILE, OBJECTS_DIRECTORY } from '../domain/results-directory.ts';
import { makeDirectories } from '../host/make-directories.ts';
import { readProcessIdentity } from '../host/process-identity.ts';
import { type FileSystem, readFileSystem, spaceText } from './filesystem.ts';
import { JOURNAL_APPLICATION_ID, JOURNAL_SCHEMA, JOURNAL_VERSION } from './journal-schema.ts';
import { constructorOf } from './sqlite.ts';

export type Sqlite = Database.Database;
export type Statement = Database.Statement<unknown[]>;

/** Statements prepared once, when first used: opening a finished campaign pays for few of them. */
export const lazyStatements =
  (db: Sqlite) =>
  (text: string): (() => Statement) => {
    let statement: Statement | undefined;
    return () => {
      statement ??= db.prepare(text);
      return statement;
    };
  };

/** Published by rename beside a journal that only its writer can open. */
export const STATUS_FILE = 'caf.status.json';

export const journalPath = (directory: string): string => join(directory, JOURNAL_FILE);

/** Where its rows lie by now. */
export const journalFiles = (directory: string): readonly string[] =>
  ['', '-wal'].map((suffix) => `${journalPath(directory)}${suffix}`).filter((path) => existsSync(path));

const MAGIC = 'SQLite format 3\0';
const KEEP_HINT =
  'Restore caf.db from a backup; or rename the results directory and run again (its local databases stay readable with caf db).';

export interface JournalHeader {
  /** Whether the file says that it is used with a write-ahead log. */
  readonly wal: boolean;
}

/** Makes caf.db where there is none. Refuses a directory that holds results without it. */
export function ensureJournal(directory: string): void {
  const path = journalPath(directory);
  try {
    makeDirectories(directory);
    if (existsSync(path)) return;
    refuseOrphans(directory);
    removeUnfinished(directory);
    createJournal(directory, path);
  } catch (error) {
    throw translateError(error, path);
  }
}

function refuseOrphans(directory: string): void {
  const leftover = [`${JOURNAL_FILE}-wal`, `${JOURNAL_FILE}-journal`].find((name) => sizeOf(join(directory, name)) > 0);
  if (leftover !== undefined) {
    throw new CafError('CAF_JOURNAL_DAMAGED', `${journalPath(directory)} is missing, but ${leftover} beside it holds a part of it`, {
      hint: KEEP_HINT,
    });
  }
  const calibration = findCalibrationDirectory(directory);
  if (calibration !== null) {
    throw new CafError('CAF_JOURNAL_MISSING', `${directory} holds results (${calibration}/), but no ${JOURNAL_FILE}`, { hint: KEEP_HINT });
  }
}

/** The first subdirectory that looks like a calibration's: it has iterations (0, 1, ...) or a localdb. */
function findCalibrationDirectory(directory: string): string | null {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === OBJECTS_DIRECTORY) continue;
    const inside = readdirSync(join(directory, entry.name), { withFileTypes: true });
    if (inside.some((child) => child.isDirectory() && (child.name === 'localdb' || /^\d+$/.test(child.name)))) return entry.name;
  }
  return null;
}

/** What a caf left that was killed while it made the journal. */
function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = /^caf\.db\.new-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && readProcessIdentity(Number(pid)) === null) rmSync(join(directory, name), { force: true });
  }
}

function createJournal(directory: string, path: string): void {
  const temporary = join(directory, `${JOURNAL_FILE}.new-${process.pid}-${process.hrtime.bigint().toString(36)}`);
  try {
    const db = new (constructorOf())(temporary);
    try {
      // One fsync below replaces SQLite's own: until it has its name, the file is nobody's.
      db.pragma('synchronous = OFF');
      db.exec(`BEGIN;\n${JOURNAL_SCHEMA}COMMIT;`);
    } finally {
      db.close();
    }
    syncPath(temporary);
    giveName(temporary, path);
    syncPath(directory);
  } finally {
    rmSync(temporary, { force: true });
    rmSync(`${temporary}-journal`, { force: true });
  }
}

/** Like rename, but whoever comes second keeps the first one's file. Without hard links (some network file systems) rename must do. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    if (!existsSync(path)) renameSync(temporary, path);
  }
}

function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Looks at the first bytes, without SQLite: CAF_JOURNAL_DAMAGED, CAF_JOURNAL_FOREIGN, CAF_JOURNAL_NEWER. */
export function checkHeader(directory: string): JournalHeader {
  const path = journalPath(directory);
  const header = Buffer.alloc(100);
  const file = openSync(path, 'r');
  let length: number;
  let size: number;
  try {
    length = readSync(file, header, 0, header.length, 0);
    size = statSync(path).size;
  } finally {
    closeSync(file);
  }
  const unsound = (what: string) => new CafError('CAF_JOURNAL_DAMAGED', `${path} ${what}`, { hint: KEEP_HINT });
  const foreign = (what: string) =>
    new CafError('CAF_JOURNAL_FOREIGN', `${path} ${what}, not a journal of caf`, {
      hint: `Choose another results directory with --output, or move this ${JOURNAL_FILE} away if nothing needs it.`,
    });
  if (length === 0) throw unsound('is empty (0 bytes)');
  const applicationId = length < header.length ? null : header.readUInt32BE(68);
  if (header.toString('latin1', 0, Math.min(length, MAGIC.length)) !== MAGIC.slice(0, length)) {
    throw applicationId === JOURNAL_APPLICATION_ID
      ? unsound('does not begin as a SQLite file: its first bytes are damaged')
      : foreign('is not a SQLite file');
  }
  if (applicationId === null) throw unsound(`is truncated: it has ${size} bytes, less than its header`);
  if (applicationId !== JOURNAL_APPLICATION_ID) {
    throw foreign(`is a SQLite file of another program (application id 0x${applicationId.toString(16).padStart(8, '0')})`);
  }
  const version = header.readUInt32BE(60);
  checkVersion(version, path);
  if (version === 0) throw unsound('has no schema version');
  // What a write-ahead log still holds may lie beyond the end of the file; without one, every page must be there.
  const expected = pageSize(header) * header.readUInt32BE(28);
  if (size < expected && sizeOf(`${path}-wal`) === 0) throw unsound(`is truncated: it has ${size} bytes of ${expected}`);
  return { wal: header[18] === 2 };
}

/** Throws CAF_JOURNAL_NEWER. */
export function checkVersion(version: number, path: string): void {
  if (version <= JOURNAL_VERSION) return;
  throw new CafError('CAF_JOURNAL_NEWER', `${path} has schema version ${version}; this caf knows versions up to ${JOURNAL_VERSION}`, {
    hint: 'Use the caf that wrote it, or a newer one.',
  });
}

const pageSize = (header: Buffer): number => {
  const size = header.readUInt16BE(16);
  return size === 1 ? 65_536 : size;
};

/** 0 where there is no such file. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/**
 * The writer's connection. WAL on a local disk; on a network file system one process only, with a rollback journal. The version is asked
 * again through SQLite, because a write-ahead log may hold a newer header than the file.
 */
export function openWritable(directory: string, fileSystem: FileSystem): Sqlite {
  checkHeader(directory);
  // A lock of the whole file is not given back soon: no use in waiting for it.
  const db = new (constructorOf())(journalPath(directory), { fileMustExist: true, timeout: fileSystem.kind === 'network' ? 250 : 5000 });
  try {
    db.pragma('trusted_schema = OFF');
    // Before the first access: SQLite then never asks for shared memory, even when the file was used with WAL before.
    db.pragma(`locking_mode = ${fileSystem.kind === 'network' ? 'EXCLUSIVE' : 'NORMAL'}`);
    checkVersion(db.pragma('user_version', { simple: true }) as number, journalPath(directory));
    db.pragma(`journal_mode = ${fileSystem.kind === 'network' ? 'TRUNCATE' : 'WAL'}`);
    db.pragma('synchronous = NORMAL');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Any read can be the first to meet a damaged page, or a row that is no JSON any more: CAF_JOURNAL_DAMAGED. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof SyntaxError ? damaged(path, `a row cannot be read (${error.message})`) : translateError(error, path);
  }
}

const damaged = (path: string, finding: string): CafError =>
  new CafError('CAF_JOURNAL_DAMAGED', `${path} is damaged: ${finding}`, { hint: KEEP_HINT });

/** After an unclean stop: walks through the whole file. CAF_JOURNAL_DAMAGED with SQLite's first findings. */
export function checkIntegrity(db: Sqlite, path: string): void {
  const rows = db.pragma('quick_check(3)') as readonly { readonly quick_check: string }[];
  const findings = rows.map((row) => row.quick_check).filter((text) => text !== 'ok');
  if (findings.length > 0) throw damaged(path, findings.join('; '));
}

/** Puts what SQLite or the file system says into words a user can act on. What is not theirs passes unchanged. */
export function translateError(error: unknown, path: string): unknown {
  if (error instanceof CafError || !(error instanceof Error)) return error;
  const code = (error as { readonly code?: unknown }).code;
  if (typeof code !== 'string') return error;
  const name = basename(path);
  const space = () => spaceText(readFileSystem(path));
  if (['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].includes(code)) {
    return new CafError('CAF_DISK_FULL', `${path} cannot grow: the disk is full or a quota is reached (${space()})`, {
      hint: 'Make space, then run the same command again: it continues.',
      cause: error,
    });
  }
  if (code === 'SQLITE_CORRUPT' || code.startsWith('SQLITE_CORRUPT_') || code === 'SQLITE_NOTADB') {
    return new CafError('CAF_JOURNAL_DAMAGED', `${path} is damaged: ${error.message}`, { hint: KEEP_HINT, cause: error });
  }
  if (/^(EACCES|EPERM|EROFS|EIO|ESTALE|ENOENT|ENOTDIR|EEXIST|ELOOP|ENAMETOOLONG|SQLITE_(READONLY|CANTOPEN|PERM)(_\w+)?)$/.test(code)) {
    return new CafError('CAF_RESULTS_UNWRITABLE', `${path} cannot be written: ${error.message}`, {
      hint: 'Choose a directory you may write to with --output, or have its permissions changed.',
      cause: error,
    });
  }
  if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)(_\w+)?$/.test(code)) {
    return new CafError('CAF_RESULTS_LOCKED', `Another process uses ${path} (${error.message})`, {
      hint: 'Wait for it to end. If there is none, the file system has no working locks: use a local disk with --output.',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_IOERR')) {
    return new CafError(
      'CAF_RESULTS_UNWRITABLE',
      `${name} could not be read or written at ${path}: ${error.message} (${code}; ${space()})`,
      {
        hint: 'Check the quota and the file system (caf doctor), then run the same command again: it continues.',
        cause: error,
      },
    );
  }
  return error;
}
