// The registry opened for changes by hand: under the lease of the results directory, so never while a campaign runs there.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CafError } from '../domain/errors.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { readFileSystem } from './filesystem.ts';
import { checkIntegrity, journalPath, openWritable, type Sqlite, sizeOf, translateError } from './journal-open.ts';
import { acquireLease, BEAT_INTERVAL_MS, isOwnerAlive, type Lease, readOwner } from './lease.ts';
import { type RefChange, readRefLines } from './refs-file.ts';
import { createRegistryWriter, type RefMove } from './registry-writer.ts';
import { describeVersion, type Scan, scanDatabases, type VersionRecord } from './scan.ts';

/** Another `caf db` holds the lease for milliseconds: it is waited for. A campaign is not. */
const PATIENCE_MS = 5000;
const ASK_AGAIN_MS = 20;

export interface Registry {
  /** Absolute. */
  readonly results: string;
  /** Makes the version of a directory known. CAF_DB_DRAFT for a draft. */
  register(directory: string): VersionRecord;
  setState(versionId: string, state: string): void;
  /** All moves or none, durable when it returns. CAF_DB_REF, CAF_DB_REF_MOVED. */
  move(moves: readonly RefMove[]): void;
  /** Whether a move could be done. */
  check(move: RefMove): void;
  /** Rebuilds the tables from the directories and caf.refs. */
  reindex(): Scan & { readonly refs: number };
  /** A sign of life in the middle of long work, during which no timer can give one. CAF_LEASE_LOST when it came too late. */
  beat(): void;
  close(): void;
}

export interface RegistryOptions {
  /** What others are told is working here. */
  readonly command: string;
  readonly now?: () => Date;
  readonly patienceMs?: number;
}

/** CAF_RESULTS_NOT_FOUND without caf.db; CAF_RESULTS_LOCKED, with who holds it, while a campaign runs; the errors of openJournal. */
export async function openRegistry(directory: string, options: RegistryOptions): Promise<Registry> {
  const results = resolve(directory);
  const path = journalPath(results);
  if (!existsSync(path)) {
    throw new CafError('CAF_RESULTS_NOT_FOUND', `${results} is not a results directory: it has no caf.db`, {
      hint: 'Name the directory that caf run was given with --output.',
    });
  }
  const until = Date.now() + (options.patienceMs ?? PATIENCE_MS);
  for (;;) {
    try {
      return open(results, path, options);
    } catch (error) {
      const isShort =
        error instanceof CafError && error.code === 'CAF_RESULTS_LOCKED' && /\(caf db |database is locked/.test(error.message);
      if (!isShort || Date.now() > until) throw error;
      await wait(ASK_AGAIN_MS);
    }
  }
}

function open(results: string, path: string, { command, now = () => new Date() }: RegistryOptions): Registry {
  let db: Sqlite | undefined;
  try {
    const wasRecovered = sizeOf(`${path}-wal`) > 0 || existsSync(`${path}-journal`);
    db = openWritable(results, readFileSystem(results));
    const owner = readOwner(db);
    if (owner === null ? wasRecovered : !isOwnerAlive(owner, now())) checkIntegrity(db, path);
    const lease = acquireLease(db, { directory: results, command, now, env: process.env, identity: ownIdentity() });
    return createRegistry(db, lease, results, path);
  } catch (error) {
    db?.close();
    throw translateError(error, path);
  }
}

/** What reindex would write into the tables. Needs no lease. */
export function planReindex(results: string): ReturnType<Registry['reindex']> {
  const { scan, changes } = readTruth(resolve(results));
  return { ...scan, refs: changes.length };
}

/** What the registry is an index of: the databases that are there, and the history of their names. */
function readTruth(results: string): { readonly scan: Scan; readonly changes: readonly RefChange[] } {
  const changes = readRefLines(results);
  const elsewhere = changes.flatMap(({ directory }) => (directory?.startsWith('/') === true && existsSync(directory) ? [directory] : []));
  return { scan: scanDatabases(results, elsewhere), changes };
}

function createRegistry(db: Sqlite, lease: Lease, results: string, path: string): Registry {
  const writer = createRegistryWriter(db, results);
  const change = <T>(action: () => T): T => {
    try {
      return db
        .transaction(() => {
          lease.check();
          return action();
        })
        .immediate();
    } catch (error) {
      throw translateError(error, path);
    }
  };
  const beat = (): void => change(() => lease.beat());
  const timer = setInterval(beat, BEAT_INTERVAL_MS).unref();
  // What a killed caf had committed but not yet written to caf.refs.
  change(() => writer.mirror());
  return {
    results,
    register(directory) {
      const version = describeVersion(results, directory);
      if (version === null) {
        throw new CafError('CAF_DB_DRAFT', `${directory} is the draft of a running iteration and has no version yet`, {
          hint: 'Use the database of a finished iteration.',
        });
      }
      change(() => writer.rows.putVersion(version));
      return version;
    },
    setState: (versionId, state) => change(() => writer.rows.setState(versionId, state)),
    move(moves) {
      change(() => {
        for (const move of moves) writer.move(move);
      });
      writer.mirror();
    },
    check: (move) => writer.check(move),
    reindex() {
      const { scan, changes } = readTruth(results);
      change(() => {
        writer.rows.replaceVersions(scan.versions);
        writer.rows.replaceRefs(changes);
      });
      return { ...scan, refs: changes.length };
    },
    beat,
    close() {
      clearInterval(timer);
      try {
        lease.release();
      } finally {
        db.close();
      }
    },
  };
}
