// Garbage collection: objects that nothing refers to, and what killed writers left. Moved to a trash first, deleted by a later sweep.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { OBJECTS_DIRECTORY } from '../domain/results-directory.ts';
import { errnoOf } from '../payloads/disk.ts';
import { objectPath, objectsOf } from '../payloads/store.ts';
import { journalPath, translateError } from './journal-open.ts';
import { openReadable } from './journal-reader.ts';
import { BEAT_INTERVAL_MS } from './lease.ts';
import { openDatabase } from './open.ts';
import { isHalfMade } from './place.ts';
import { readRefChanges } from './refs.ts';
import { openRegistry } from './registry.ts';
import { findDatabaseDirectories } from './scan.ts';

/** Longer than the longest job: an object is older than the database that will refer to it. */
export const GRACE_MS = 7 * 24 * 3600_000;

export interface GarbageOptions {
  /** False: only say what would be done, the default everywhere. */
  readonly sweep: boolean;
  /** What is younger stays; also how long the trash is kept. Default: 7 days. */
  readonly graceMs?: number;
  readonly now?: () => Date;
}

export interface DeadObject {
  readonly sha256: string;
  readonly size: number;
  /** RFC 3339, UTC; when it was stored. */
  readonly storedAt: string;
}

export interface GarbageReport {
  readonly v: 1;
  readonly results: string;
  readonly swept: boolean;
  /** Nothing refers to them, and they are older than the grace period. */
  readonly dead: readonly DeadObject[];
  /** `*.tmp-*` of killed writers, relative to the results directory. */
  readonly leftovers: readonly string[];
  /** Trash of earlier sweeps that is older than the grace period. */
  readonly expired: readonly string[];
  readonly kept: { readonly referenced: number; readonly young: number };
}

/**
 * Roots: every database found on disk, those elsewhere that names stand for, and what executions have queued. A database or directory that
 * cannot be read ends it before anything is touched: CAF_DB_DAMAGED. A sweep needs the lease: CAF_RESULTS_LOCKED while a campaign runs,
 * CAF_LEASE_LOST when one took it over because looking took too long.
 */
export async function collectGarbage(results: string, options: GarbageOptions): Promise<GarbageReport> {
  if (!options.sweep) return findGarbage(results, options);
  const registry = await openRegistry(results, { command: 'caf db gc' });
  try {
    const alive = signsOfLife(() => registry.beat());
    const report = findGarbage(results, options, alive);
    const at = (options.now ?? (() => new Date()))();
    registry.beat();
    sweep(results, report, at, alive);
    return { ...report, swept: true };
  } finally {
    registry.close();
  }
}

/** A sweep looks at each object in one go: on a network file system that can take longer than a lease holds without a sign of life. */
function signsOfLife(beat: () => void): () => void {
  let last = performance.now();
  return () => {
    if (performance.now() - last < BEAT_INTERVAL_MS) return;
    beat();
    last = performance.now();
  };
}

/** `alive` is called again and again. */
function findGarbage(
  results: string,
  { graceMs = GRACE_MS, now = () => new Date() }: GarbageOptions,
  alive: () => void = () => undefined,
): GarbageReport {
  const before = now().getTime() - graceMs;
  const live = findLive(results, alive);
  const dead: DeadObject[] = [];
  const kept = { referenced: 0, young: 0 };
  for (const { sha256, size, storedAtMs } of listObjects(objectsOf(results))) {
    alive();
    if (live.has(sha256)) kept.referenced += 1;
    else if (storedAtMs > before) kept.young += 1;
    else dead.push({ sha256, size, storedAt: new Date(storedAtMs).toISOString() });
  }
  // What a running caf has put in place meanwhile is not there any more.
  const old = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY) <= before;
  const leftovers = findLeftovers(results).filter(old);
  const expired = listNames(trashOf(results))
    .map((name) => join(trashOf(results), name))
    .filter(old);
  const short = (path: string): string => relative(results, path);
  return { v: 1, results, swept: false, dead, leftovers: leftovers.map(short), expired: expired.map(short), kept };
}

/** SHA-256 of everything that is referred to. */
function findLive(results: string, alive: () => void): ReadonlySet<string> {
  const live = new Set<string>();
  const elsewhere = readRefChanges(results).flatMap(({ directory }) => (directory?.startsWith('/') === true ? [directory] : []));
  for (const directory of [...findDatabaseDirectories(results), ...elsewhere.filter((path) => existsSync(path))]) {
    alive();
    try {
      const database = openDatabase(directory);
      for (const { payload } of database.entries()) live.add(payload.sha256);
      database.close();
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      throw new CafError(
        'CAF_DB_DAMAGED',
        `Nothing was touched: ${directory} cannot be read, so what it needs is not known: ${error.message}`,
        {
          hint: `Restore it from a copy, or move it out of ${results}; then collect again.`,
          cause: error,
        },
      );
    }
  }
  for (const sha256 of queuedPayloads(results)) live.add(sha256);
  return live;
}

/** What executions have queued and no database holds yet: a campaign that was interrupted goes on with them. */
function queuedPayloads(results: string): readonly string[] {
  const path = journalPath(results);
  if (!existsSync(path)) return [];
  try {
    const { db, close } = openReadable(results, path);
    try {
      const rows = db
        .prepare("SELECT json_extract(one.value, '$.sha256') AS sha256 FROM executions, json_each(executions.payloads) AS one")
        .all();
      return (rows as { readonly sha256: string | null }[]).flatMap(({ sha256 }) => (sha256 === null ? [] : [sha256]));
    } finally {
      close();
    }
  } catch (error) {
    throw translateError(error, path);
  }
}

function* listObjects(objects: string): Generator<{ readonly sha256: string; readonly size: number; readonly storedAtMs: number }> {
  for (const prefix of listNames(objects)) {
    if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
    for (const rest of listNames(join(objects, prefix))) {
      if (!/^[0-9a-f]{62}$/.test(rest)) continue;
      const { size, mtimeMs } = statSync(join(objects, prefix, rest));
      yield { sha256: prefix + rest, size, storedAtMs: mtimeMs };
    }
  }
}

/** `localdb.tmp-<random>` beside databases, `tmp-<random>` in the store. */
function findLeftovers(results: string): readonly string[] {
  const objects = objectsOf(results);
  const inStore = listNames(objects)
    .filter((name) => /^tmp-[0-9a-f]{16}$/.test(name))
    .map((name) => join(objects, name));
  const beside: string[] = [];
  const walk = (directory: string, depth: number): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const { name } = entry;
      if (!entry.isDirectory() || name.startsWith('.') || (depth === 0 && name === OBJECTS_DIRECTORY)) continue;
      if (isHalfMade(name)) beside.push(join(directory, name));
      else if (depth < 2) walk(join(directory, name), depth + 1);
    }
  };
  walk(results, 0);
  return [...inStore, ...beside];
}

const trashOf = (results: string): string => join(objectsOf(results), 'trash');

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Two phases: what is dead now goes to the trash of this sweep; the trash of earlier sweeps goes for good. */
function sweep(results: string, { dead, leftovers, expired }: GarbageReport, now: Date, alive: () => void): void {
  for (const path of [...expired, ...leftovers]) {
    alive();
    rmSync(join(results, path), { recursive: true, force: true });
  }
  const trash = join(trashOf(results), now.toISOString().slice(0, 19).replaceAll(':', '-'));
  for (const { sha256 } of dead) {
    alive();
    const target = objectPath(trash, sha256);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(objectPath(objectsOf(results), sha256), target);
  }
}
