// Reading caf.db for caf status and caf logs: never blocks the writer, never leaves a file behind, works in a directory one may not write to.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { checkHeader, checkVersion, journalPath, reading, type Sqlite, translateError } from './journal-open.ts';
import { createJournalReads } from './journal-read.ts';
import type { JournalReads, OwnerRecord } from './journal-records.ts';
import { type CampaignSnapshot, readSnapshot, readStatusFile } from './journal-status.ts';
import { isOwnerAlive, readOwner } from './lease.ts';
import { constructorOf } from './sqlite.ts';

export interface JournalReader {
  /** Null while a writer on a network file system holds the file for itself: then there is only `status()`. */
  readonly journal: JournalReads | null;
  /** One consistent state. A writer that starts later is seen by a reader opened later. */
  status(): ObservedSnapshot;
  /** Who holds the journal; null when nobody does. */
  owner(): OwnerRecord | null;
  /** Whether somebody holds it and lives, as far as this machine can tell. Cheap, unlike status(). */
  isHeld(): boolean;
  close(): void;
}

export interface ObservedSnapshot extends CampaignSnapshot {
  /** When this was read; `takenAt` is earlier for a published snapshot. */
  readonly observedAt: string;
  /** As far as this machine can tell, at that time. */
  readonly ownerAlive: boolean;
}

export interface ReaderOptions {
  readonly now?: () => Date;
  readonly env?: NodeJS.ProcessEnv;
}

/** CAF_RESULTS_NOT_FOUND, CAF_JOURNAL_DAMAGED, CAF_JOURNAL_FOREIGN, CAF_JOURNAL_NEWER; CAF_RESULTS_LOCKED when not even a status file can be read. */
export function openJournalForReading(results: string, { now = () => new Date(), env = process.env }: ReaderOptions = {}): JournalReader {
  const directory = resolve(results);
  const path = journalPath(directory);
  if (!existsSync(path)) {
    throw new CafError(
      'CAF_RESULTS_NOT_FOUND',
      existsSync(directory) ? `${directory} has no ${JOURNAL_FILE}` : `${directory} does not exist`,
      {
        hint: 'Name the results directory: caf status DIR. It is made by: caf run',
      },
    );
  }
  const observed = (snapshot: CampaignSnapshot): ObservedSnapshot => {
    const at = now();
    return { ...snapshot, observedAt: at.toISOString(), ownerAlive: snapshot.owner !== null && isOwnerAlive(snapshot.owner, at, env) };
  };
  const isHeld = (owner: OwnerRecord | null): boolean => owner !== null && isOwnerAlive(owner, now(), env);
  let opened: Opened | undefined;
  try {
    opened = openReadable(directory, path);
    const { db, close } = opened;
    const reads = createJournalReads(db, () => lastInvocation(db), path);
    return {
      journal: reads,
      status: () =>
        observed(
          reading(
            path,
            db.transaction(() => readSnapshot(db, reads, now())),
          ),
        ),
      owner: () => reading(path, () => readOwner(db)),
      isHeld: () => isHeld(reading(path, () => readOwner(db))),
      close,
    };
  } catch (error) {
    opened?.close();
    const translated = translateError(error, path);
    const published = isLocked(translated) ? readStatusFile(directory) : null;
    if (published === null) throw translated;
    const newest = () => readStatusFile(directory) ?? published;
    return {
      journal: null,
      status: () => observed(newest()),
      owner: () => newest().owner,
      isHeld: () => isHeld(newest().owner),
      close: () => undefined,
    };
  }
}

const lastInvocation = (db: Sqlite): number =>
  (db.prepare('SELECT coalesce(max(invocation), 0) AS last FROM invocations').get() as { readonly last: number }).last;

const isLocked = (error: unknown): boolean => error instanceof CafError && error.code === 'CAF_RESULTS_LOCKED';

export interface Opened {
  readonly db: Sqlite;
  close(): void;
}

/**
 * With a live or crashed writer the -wal and -shm files are there, and SQLite reads beside it. Without them a reader would have to make them,
 * and they would be its own: so the file, which is whole then, is read into memory. Where SQLite may not write what it needs, a copy is read.
 */
export function openReadable(directory: string, path: string): Opened {
  const { wal } = checkHeader(directory);
  if (wal && !existsSync(`${path}-wal`)) {
    const image = readFileSync(path);
    // A writer that came meanwhile may have changed pages under our hands: then read beside it.
    if (!existsSync(`${path}-wal`)) return openImage(image);
  }
  try {
    return openFile(path, { readonly: true });
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === undefined || !/^SQLITE_(CANTOPEN|READONLY)/.test(code)) throw error;
    return openCopy(directory);
  }
}

function openFile(path: string, options: { readonly readonly: boolean }): Opened {
  const db = new (constructorOf())(path, { ...options, fileMustExist: true, timeout: 250 });
  try {
    prepare(db, path);
    return { db, close: () => void db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** In memory there is no write-ahead log: bytes 18 and 19 of the header (write and read version) say so. */
function openImage(image: Buffer): Opened {
  image[18] = 1;
  image[19] = 1;
  const db = new (constructorOf())(image);
  try {
    prepare(db, JOURNAL_FILE);
    return { db, close: () => void db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: Sqlite, path: string): void {
  db.pragma('trusted_schema = OFF');
  db.pragma('query_only = ON');
  checkVersion(db.pragma('user_version', { simple: true }) as number, path);
}

function openCopy(directory: string): Opened {
  const copy = mkdtempSync(join(tmpdir(), 'caf-'));
  const remove = () => rmSync(copy, { recursive: true, force: true });
  try {
    for (const name of [JOURNAL_FILE, `${JOURNAL_FILE}-wal`, `${JOURNAL_FILE}-journal`]) {
      if (existsSync(join(directory, name))) copyFileSync(join(directory, name), join(copy, name));
    }
    // Writable, so that SQLite can roll back or replay what a killed writer left.
    const { db, close } = openFile(journalPath(copy), { readonly: false });
    return {
      db,
      close() {
        close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
