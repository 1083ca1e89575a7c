// Finished jobs of a collection in one tar file: put there, taken out again, and their logs read from there. What lies in directories goes before the archive.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobRecord } from '../database/journal-records.ts';
import { isHalfMade } from '../database/place.ts';
import { syncPaths } from '../payloads/disk.ts';
import { BLOCK, damaged, END, type EntryType, entryOf, padding, readTar, type StoredEntry, tarHeader } from './tar.ts';

export const ARCHIVE_FILE = 'jobs.tar';

export interface ArchiveSize {
  readonly jobs: number;
  /** Files and directories that there were. */
  readonly entries: number;
  readonly bytes: number;
}

const CHUNK = 1 << 20;
/** So much is done before other work has its turn. */
const AT_ONCE_MS = 10;

/** Numbers of the jobs that succeeded, in order. */
export const finishedJobs = (jobs: ReadonlyMap<number, JobRecord>): readonly number[] =>
  [...jobs].flatMap(([job, { finished }]) => (finished?.state === 'succeeded' ? [job] : [])).sort((a, b) => a - b);

/** As of everything half-made: it is removed when a caf finds it. */
const temporary = (path: string): string => `${path}.tmp-${randomBytes(6).toString('hex')}`;

/** Lets others have their turn; throws when it is to stop. */
function createBreath(signal: AbortSignal): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < AT_ONCE_MS) return;
    await nextTurn();
    signal.throwIfAborted();
    since = performance.now();
  };
}

interface Found {
  /** Relative to the collection. */
  readonly name: string;
  readonly type: EntryType;
  readonly stats: Stats;
}

/**
 * Puts the directories of these jobs into the collection's archive, and removes them. Null = there is nothing to do.
 * The archive is whole and on the disk before the first directory goes; a job with something that is no file, directory or link stays as it is.
 * Rejects with the signal's reason; what it had begun is then not there, or finished by the next call.
 */
export async function archiveJobs(collection: string, jobs: readonly number[], signal: AbortSignal): Promise<ArchiveSize | null> {
  signal.throwIfAborted();
  const there = new Set(readdirSync(collection));
  for (const name of there) if (isHalfMade(name)) rmSync(join(collection, name), { recursive: true, force: true });
  if (!jobs.some((job) => there.has(String(job)))) return null;
  // A caf was killed while it removed directories, or some jobs were done again since: all are archived anew.
  if (there.has(ARCHIVE_FILE)) await restoreJobs(collection, jobs, signal);
  const archive = join(collection, ARCHIVE_FILE);
  const half = temporary(archive);
  const archived: number[] = [];
  let entries = 0;
  const fd = openSync(half, 'wx');
  try {
    const write = createWriter(fd);
    const breathe = createBreath(signal);
    for (const job of jobs) {
      const found = listJob(collection, job);
      if (found === null) continue;
      for (const entry of found) {
        await breathe();
        await writeEntry(collection, entry, write, breathe);
      }
      archived.push(job);
      entries += found.length;
    }
    write.bytes(END);
    write.flush();
  } catch (error) {
    rmSync(half, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  if (archived.length === 0) {
    rmSync(half);
    return null;
  }
  const { size: bytes } = statSync(half);
  await syncPaths([half]);
  renameSync(half, archive);
  await syncPaths([collection]);
  const breathe = createBreath(signal);
  for (const job of archived) {
    await breathe();
    removeWhole(join(collection, String(job)));
  }
  return { jobs: archived.length, entries, bytes };
}

/** A directory that is half removed would be taken for the job. */
function removeWhole(directory: string): void {
  const going = temporary(directory);
  renameSync(directory, going);
  rmSync(going, { recursive: true, force: true });
}

/** Everything of a job's directory, parents first, by name; null = there is none, or it has what an archive cannot hold. */
function listJob(collection: string, job: number): readonly Found[] | null {
  const found: Found[] = [];
  const names = [String(job)];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const path = join(collection, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const type = stats === undefined ? null : typeOf(stats);
    if (stats === undefined || type === null) return null;
    found.push({ name, type, stats });
    if (type === 'directory') for (const child of readdirSync(path).sort().reverse()) names.push(`${name}/${child}`);
  }
  return found;
}

function typeOf(stats: Stats): EntryType | null {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : null;
}

interface Writer {
  bytes(bytes: Buffer): void;
  flush(): void;
}

/** Small pieces become few writes. */
function createWriter(fd: number): Writer {
  const buffer = Buffer.allocUnsafe(CHUNK);
  let filled = 0;
  const flush = () => {
    writeAll(fd, buffer.subarray(0, filled));
    filled = 0;
  };
  return {
    bytes(bytes) {
      if (filled + bytes.length > buffer.length) flush();
      if (bytes.length > buffer.length) writeAll(fd, bytes);
      else filled += bytes.copy(buffer, filled);
    },
    flush,
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

async function writeEntry(collection: string, { name, type, stats }: Found, write: Writer, breathe: () => Promise<void>): Promise<void> {
  const path = join(collection, name);
  if (type !== 'file') {
    write.bytes(tarHeader(entryOf(name, type, stats, type === 'link' ? readlinkSync(path) : '')));
    return;
  }
  const fd = openSync(path, 'r');
  try {
    const entry = entryOf(name, type, stats, '');
    write.bytes(tarHeader(entry));
    const chunk = Buffer.allocUnsafe(Math.min(entry.size, CHUNK));
    for (let done = 0; done < entry.size; ) {
      const read = readSync(fd, chunk, 0, Math.min(chunk.length, entry.size - done), done);
      if (read === 0) throw new Error(`${path} became shorter while it was archived`);
      write.bytes(chunk.subarray(0, read));
      done += read;
      await breathe();
    }
    write.bytes(Buffer.alloc(padding(entry.size)));
  } finally {
    closeSync(fd);
  }
}

/** Takes the directories of these jobs out of the archive, where they are not there, and removes it. Nothing to do without an archive. CAF_ARCHIVE_DAMAGED. */
export async function restoreJobs(collection: string, jobs: readonly number[], signal: AbortSignal): Promise<void> {
  const archive = join(collection, ARCHIVE_FILE);
  if (!existsSync(archive)) return;
  const wanted = new Set(jobs.map(String).filter((job) => !existsSync(join(collection, job))));
  const fd = openSync(archive, 'r');
  try {
    const breathe = createBreath(signal);
    let open = null as HalfRestored | null;
    const close = (half: HalfRestored) => {
      // Last, because what is put into a directory changes its time.
      for (const { name, mtimeMs } of half.folders.toReversed()) setTime(placeIn(half, name), mtimeMs);
      renameSync(half.directory, join(collection, half.job));
    };
    for (const entry of readTar(fd, archive)) {
      await breathe();
      const [job = ''] = entry.name.split('/');
      if (!wanted.has(job)) continue;
      if (!isInside(entry.name)) throw damaged(archive, entry.offset - BLOCK, `its entry ${JSON.stringify(entry.name)} leads out of it`);
      if (open?.job !== job) {
        if (open !== null) close(open);
        open = { job, directory: temporary(join(collection, job)), folders: [] };
      }
      await restoreEntry(fd, entry, placeIn(open, entry.name), breathe);
      if (entry.type === 'directory') open.folders.push(entry);
    }
    if (open !== null) close(open);
  } finally {
    closeSync(fd);
  }
  rmSync(archive);
}

interface HalfRestored {
  readonly job: string;
  /** Its temporary place. */
  readonly directory: string;
  readonly folders: StoredEntry[];
}

const placeIn = ({ job, directory }: HalfRestored, name: string): string => `${directory}${name.slice(job.length)}`;

const isInside = (name: string): boolean => name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

async function restoreEntry(fd: number, entry: StoredEntry, path: string, breathe: () => Promise<void>): Promise<void> {
  const { type, mode, mtimeMs, target, size, offset } = entry;
  if (type === 'directory') {
    // Writable until it is full.
    mkdirSync(path, { mode: mode | 0o700, recursive: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  if (type === 'link') {
    symlinkSync(target, path);
    return;
  }
  const to = openSync(path, 'wx', mode | 0o200);
  try {
    const chunk = Buffer.allocUnsafe(Math.min(size, CHUNK));
    for (let done = 0; done < size; ) {
      const read = readSync(fd, chunk, 0, Math.min(chunk.length, size - done), offset + done);
      if (read === 0) throw new Error(`${path} could not be taken out of its archive`);
      writeAll(to, chunk.subarray(0, read));
      done += read;
      await breathe();
    }
    fchmodSync(to, mode);
  } finally {
    closeSync(to);
  }
  setTime(path, mtimeMs);
}

const setTime = (path: string, mtimeMs: number): void => utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);

/** Files of one job in the archive of its collection, by name; null = there is no such archive, or the job is not in it. Its attempt is in job.json. */
export function findArchived(collection: string, job: string): ReadonlyMap<string, StoredEntry> | null {
  const archive = join(collection, ARCHIVE_FILE);
  if (!existsSync(archive)) return null;
  const fd = openSync(archive, 'r');
  try {
    const files = new Map<string, StoredEntry>();
    let isThere = false;
    for (const entry of readTar(fd, archive)) {
      const isOwn = entry.name === job || entry.name.startsWith(`${job}/`);
      if (isThere && !isOwn) break;
      isThere ||= isOwn;
      if (isOwn && entry.type === 'file') files.set(entry.name.slice(job.length + 1), entry);
    }
    return isThere ? files : null;
  } finally {
    closeSync(fd);
  }
}
