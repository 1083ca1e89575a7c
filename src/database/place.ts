// Puts files and directories in place: payloads by hard link or checked copy, a whole directory by one rename.
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, promises, readdirSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { makeDirectories } from '../host/make-directories.ts';
import { diskError, errnoOf, syncPaths } from '../payloads/disk.ts';
import { copyHashed, payloadCorrupt, payloadMissing } from '../payloads/store.ts';
import { readFileSystem } from './filesystem.ts';

/** Where the bytes of a payload lie. `mayLink`: the file is never changed (an object, a file of a sealed database). */
export interface PayloadSource {
  readonly path: string;
  readonly mayLink: boolean;
}

/** The file system cannot link these two: another device, too many links, or links not allowed there. */
const CANNOT_LINK = new Set(['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP', 'ENOSYS', 'EACCES']);

/** Links or copies a payload. A copy is checked against its hash, a link against its size: it is the same file. Gives the link's stats, null for a copy. */
export async function placePayload(
  source: PayloadSource,
  payload: { readonly sha256: string; readonly size: number },
  target: string,
): Promise<Stats | null> {
  try {
    const linked = linkPayload(source, payload, target);
    if (linked !== null) return linked;
    const file = await promises.open(source.path, 'r');
    try {
      const { sha256 } = await copyHashed(file, target);
      if (sha256 !== payload.sha256) throw payloadCorrupt(source.path, payload.sha256, sha256);
    } finally {
      await file.close();
    }
    return null;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw payloadMissing(source.path, payload.sha256, error);
    throw diskError(error, 'A payload cannot be placed', target);
  }
}

/** Null when it has to be copied. */
function linkPayload(source: PayloadSource, payload: { readonly sha256: string; readonly size: number }, target: string): Stats | null {
  if (!source.mayLink || isOnNetwork(target) || !link(source.path, target)) return null;
  const stats = statSync(target);
  if (stats.size === payload.size) return stats;
  throw payloadCorrupt(source.path, `${payload.sha256} (${payload.size} bytes)`, `${stats.size} bytes`);
}

/** There a link is one inode that many hosts cache, and its count of links is not to be relied on: copies are checked and stand alone. */
function isOnNetwork(target: string): boolean {
  const directory = dirname(target);
  if (directory !== asked.directory) asked = { directory, isNetwork: readFileSystem(directory).kind === 'network' };
  return asked.isNetwork;
}

/** The payloads of a database go into one directory, one after the other. */
let asked = { directory: '', isNetwork: false };

function link(path: string, target: string): boolean {
  try {
    linkSync(path, target);
    return true;
  } catch (error) {
    if (CANNOT_LINK.has(errnoOf(error))) return false;
    throw error;
  }
}

export interface PlaceDirectory {
  readonly directory: string;
  /** fsync everything before and after the rename: published databases. */
  readonly durable: boolean;
  /** What to do with a directory that is there already: never overwritten, or moved out of the way (drafts). */
  readonly existing: 'refuse' | 'replace';
  /** Fills the new directory and returns the files that need an fsync. */
  fill(temporary: string): Promise<readonly string[]>;
}

const temporaryName = (directory: string): string => `${directory}.tmp-${randomBytes(6).toString('hex')}`;

/** Whether a name was given by placeDirectory to what was not yet in place: left by a kill, it means nothing. */
export const isHalfMade = (name: string): boolean => /\.tmp-[0-9a-f]{12}$/.test(name);

/**
 * A directory appears whole, by rename, or not at all. CAF_DB_EXISTS; CAF_DISK_FULL with the space left. Only what takes long (copies,
 * fsync) is waited for elsewhere: handing a call of some microseconds to another thread costs more than the call.
 */
export async function placeDirectory({ directory, durable, existing, fill }: PlaceDirectory): Promise<void> {
  if (existing === 'refuse') refuseExisting(directory);
  const temporary = temporaryName(directory);
  try {
    makeDirectory(temporary);
    const files = await fill(temporary);
    if (durable) await syncPaths([...files, temporary]);
    if (existing === 'replace') moveAway(directory);
    renameSync(temporary, directory);
    if (durable) await syncPaths([dirname(directory)]);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    const code = errnoOf(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') throw existsAlready(directory, error);
    throw diskError(error, 'The directory cannot be written', directory);
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    makeInParent(path);
  }
}

function makeInParent(path: string): void {
  try {
    makeDirectories(dirname(path));
    mkdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new CafError('CAF_RESULTS_UNWRITABLE', `The directory cannot be written: ${dirname(path)} takes no new entries (ENOENT)`, {
      hint: 'Choose a directory you may write to.',
      cause: error,
    });
  }
}

/** Writes a file that nobody will change. */
export function writeSealed(path: string, data: string | Uint8Array): string {
  writeFileSync(path, data, { flag: 'wx', mode: 0o444 });
  return path;
}

/** Checked before the work begins; the rename itself never replaces a directory that holds anything. */
export function refuseExisting(directory: string): void {
  if (!existsSync(directory)) return;
  let isEmpty: boolean;
  try {
    isEmpty = readdirSync(directory).length === 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw existsAlready(directory, error);
  }
  if (!isEmpty) throw existsAlready(directory);
}

const existsAlready = (directory: string, cause?: unknown): CafError =>
  new CafError('CAF_DB_EXISTS', `There is already something at ${directory}: databases are never overwritten`, {
    hint: 'Choose another directory, or move this one away.',
    cause,
  });

function moveAway(directory: string): void {
  if (!existsSync(directory)) return;
  const away = temporaryName(directory);
  renameSync(directory, away);
  rmSync(away, { recursive: true, force: true });
}
