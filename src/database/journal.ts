// The journal's one writer: entries are appended, share a commit per turn of the event loop, and are guarded by the lease.
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import type { ProcessIdentity } from '../domain/job.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { readFileSystem } from './filesystem.ts';
import { readCrashPoint } from './journal-crash.ts';
import { checkIntegrity, ensureJournal, journalPath, openWritable, type Sqlite, sizeOf, translateError } from './journal-open.ts';
import { createJournalReads } from './journal-read.ts';
import type { JournalReads } from './journal-records.ts';
import { createStatusPublisher, readSnapshot, readStatusFile } from './journal-status.ts';
import { createJournalWriter } from './journal-write.ts';
import { acquireLease, BEAT_INTERVAL_MS, isOwnerAlive, type Lease, lockedError, readOwner } from './lease.ts';
import { createRegistryWriter } from './registry-writer.ts';

export interface Journal extends JournalReads {
  /** Absolute path of the results directory. */
  readonly directory: string;
  /** Number of this invocation; its row exists once `invocation.started` is appended. */
  readonly invocation: number;
  /** Token of the lease: what is asked of this very process is addressed to it. */
  readonly lease: string;
  /**
   * Writes an entry into the open transaction, which is committed at the end of this turn of the event loop. Throws CAF_DISK_FULL,
   * CAF_LEASE_LOST, CAF_RESULTS_UNWRITABLE, CAF_JOURNAL_DAMAGED; after one of these nothing is written any more, and every call throws it.
   */
  append(entry: JournalEntry): void;
  /** Commits at once: to be called before an effect begins. Errors as `append`. */
  commit(): void;
  /** Commits, gives the lease back and closes. Throws a failure that nobody has been told of yet. Twice is once. */
  close(): void;
}

export interface JournalOptions {
  /** What others are told is working here; default `caf run`. */
  readonly command?: string;
  /** Told at once when a commit at the end of a turn, or a sign of life, fails; without it the next call throws. */
  readonly onFailure?: (error: unknown) => void;
  readonly now?: () => Date;
  readonly env?: NodeJS.ProcessEnv;
  /** Default: this process. */
  readonly identity?: ProcessIdentity;
}

/**
 * Opens caf.db of a results directory for writing; makes both where there are none. Never over old results: CAF_JOURNAL_DAMAGED,
 * CAF_JOURNAL_FOREIGN, CAF_JOURNAL_NEWER, CAF_JOURNAL_MISSING. CAF_RESULTS_LOCKED while another caf has it, CAF_RESULTS_UNWRITABLE, CAF_DISK_FULL.
 */
export function openJournal(results: string, options: JournalOptions = {}): Journal {
  const directory = resolve(results);
  const { now = () => new Date(), env = process.env } = options;
  const path = journalPath(directory);
  ensureJournal(directory);
  const fileSystem = readFileSystem(directory, env);
  const wasRecovered = sizeOf(`${path}-wal`) > 0 || existsSync(`${path}-journal`);
  let db: Sqlite | undefined;
  try {
    db = openWritable(directory, fileSystem);
    const owner = readOwner(db);
    const wasKilled = owner === null ? wasRecovered : !isOwnerAlive(owner, now(), env);
    if (wasKilled) checkIntegrity(db, path);
    const lease = acquireLease(db, {
      directory,
      command: options.command ?? 'caf run',
      now,
      env,
      identity: options.identity ?? ownIdentity(),
    });
    return createJournal(db, lease, fileSystem.kind === 'network', directory, { ...options, now, env });
  } catch (error) {
    db?.close();
    throw nameTheLocker(translateError(error, path), directory, now());
  }
}

/** A journal locked as a whole by a writer on a network file system: its status file tells who that is. */
function nameTheLocker(error: unknown, directory: string, now: Date): unknown {
  if (!(error instanceof CafError) || error.code !== 'CAF_RESULTS_LOCKED' || error.cause === undefined) return error;
  const owner = readStatusFile(directory)?.owner ?? null;
  return owner === null ? error : lockedError(directory, owner, now);
}

/** What is written into a file that has left its place, nobody would find: the next caf would begin anew, beside jobs that still run. */
function requirePlace(directory: string, path: string): void {
  if (!isGone(path)) return;
  throw new CafError('CAF_RESULTS_UNWRITABLE', `${directory} was removed or renamed while caf worked on it: there is no ${path}`, {
    hint: 'Bring the directory back to its place, and run again: it continues from what was recorded.',
  });
}

function isGone(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    // Whatever else is wrong with the file system, the commit itself will meet it.
    return false;
  }
}

type Settled = Required<Pick<JournalOptions, 'now' | 'env'>> & JournalOptions;

function createJournal(db: Sqlite, lease: Lease, isNetwork: boolean, directory: string, { now, env, onFailure }: Settled): Journal {
  const path = journalPath(directory);
  const { last } = db.prepare('SELECT coalesce(max(invocation), 0) AS last FROM invocations').get() as { readonly last: number };
  const invocation = last + 1;
  const reads = createJournalReads(db, () => invocation, path);
  const writer = createJournalWriter(db, invocation, createRegistryWriter(db, directory));
  const begin = db.prepare('BEGIN IMMEDIATE');
  const end = db.prepare('COMMIT');
  const crashPoint = readCrashPoint(env);
  const fate: { failed: boolean; error: unknown; told: boolean } = { failed: false, error: null, told: false };
  let isOpen = false;
  /** One time for all entries of a transaction: they share a turn. */
  let openedAt = '';
  let isScheduled = false;
  let isClosed = false;

  const throwFailure = (): void => {
    if (!fate.failed) return;
    fate.told = true;
    throw fate.error;
  };
  /** The first failure is the last word: from there on what memory believes and what the file holds may differ. */
  const guarded = (action: () => void): void => {
    throwFailure();
    try {
      action();
    } catch (error) {
      isOpen = false;
      if (db.inTransaction) db.exec('ROLLBACK');
      Object.assign(fate, { failed: true, error: translateError(error, path) });
      throwFailure();
    }
  };
  /** For what no caller waits for: the end of a turn, timers. */
  const inBackground = (action: () => void): void => {
    if (isClosed || fate.failed) return;
    try {
      action();
    } catch (error) {
      fate.told = onFailure !== undefined;
      onFailure?.(error);
    }
  };

  const publisher = isNetwork
    ? createStatusPublisher(
        directory,
        () => readSnapshot(db, reads, now()),
        (action) => inBackground(() => guarded(action)),
      )
    : null;

  const commit = (): void =>
    guarded(() => {
      if (!isOpen) return;
      lease.check();
      requirePlace(directory, path);
      end.run();
      isOpen = false;
      publisher?.changed();
    });

  const open = (): void => {
    if (isOpen) return;
    guarded(() => begin.run());
    isOpen = true;
    openedAt = now().toISOString();
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      inBackground(commit);
    });
  };

  const append = (entry: JournalEntry): void => {
    throwFailure();
    if (isClosed) throw new Error(`journal: ${entry.kind} appended after close`);
    open();
    try {
      writer.apply(entry, openedAt);
      if (entry.kind === 'invocation.started') lease.recordInvocation(invocation);
    } catch (error) {
      // Without a code it is a refusal of the writer: a bug of the caller, which has changed nothing.
      if (!(error instanceof Error && 'code' in error)) throw error;
      guarded(() => {
        throw error;
      });
    }
    if (crashPoint?.isReached(entry.kind)) {
      commit();
      crashPoint.crash();
    }
  };

  const beat = (): void => {
    open();
    guarded(() => lease.beat());
    commit();
  };
  const timer = setInterval(() => inBackground(beat), BEAT_INTERVAL_MS).unref();

  const close = (): void => {
    if (isClosed) return;
    clearInterval(timer);
    try {
      if (!fate.failed) commit();
      if (!fate.failed) guarded(() => lease.release());
      if (!fate.failed) guarded(() => publisher?.close());
    } finally {
      isClosed = true;
      if (fate.failed) releaseAnyway();
      db.close();
    }
    if (!fate.told) throwFailure();
  };

  const releaseAnyway = (): void => {
    try {
      lease.release();
    } catch {
      // The failure that is told already says why. The owner's row stays, and the next caf sees that its process is gone.
    }
  };

  publisher?.changed();
  return { ...reads, directory, invocation, lease: lease.token, append, commit, close };
}
