// What the disk asks for: fsync of many paths at once, directories by rename, and its errors in words.
import { closeSync, constants, fsync, openSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import { CafError } from '../domain/errors.ts';

/** fsyncs in flight at once: ext4 and XFS write those of one moment as one group. Node's pool runs four of them, in `caf run` sixteen (host/thread-pool.ts). */
const IN_FLIGHT = 32;

export const errnoOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Runs the action on every item, at most `limit` at once; rejects with the first error after all that began have ended. */
export async function forEachAtOnce<T>(items: Iterable<T>, limit: number, action: (item: T) => Promise<void>): Promise<void> {
  const within = pLimit(limit);
  const failures: unknown[] = [];
  const act = async (item: T): Promise<void> => {
    if (failures.length === 0) await action(item);
  };
  await Promise.all([...items].map((item) => within(act, item).catch((error: unknown) => failures.push(error))));
  if (failures.length > 0) throw failures[0];
}

/** fsync of files or directories. Opened and closed at once, waited for elsewhere: an fsync takes as long as the disk likes, the rest nothing. */
export async function syncPaths(paths: Iterable<string>): Promise<void> {
  await forEachAtOnce(paths, IN_FLIGHT, async (path) => {
    try {
      const fd = openSync(path, constants.O_RDONLY);
      try {
        await syncFile(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      // Some network file systems refuse fsync of a directory; their rename is durable by itself.
      if (errnoOf(error) === 'EINVAL' || errnoOf(error) === 'ENOTSUP') return;
      throw diskError(error, 'The disk did not take the data', path);
    }
  });
}

const syncFile = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fsync(fd, (error) => (error === null ? resolve() : reject(error))));

/** All of it, or an error: a disk that is nearly full takes a part, and says so only by its length. */
export function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** A full disk in the user's words, with the space left; other errors are returned as they are. */
export function diskError(error: unknown, what: string, path: string): unknown {
  if (error instanceof CafError) return error;
  const code = errnoOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const reason = code === 'ENOSPC' ? 'the disk is full' : 'a quota is reached';
    return new CafError('CAF_DISK_FULL', `${what}: ${reason} at ${path}${spaceLeft(path)}`, {
      hint: 'Make space and start again: nothing that was published is affected.',
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new CafError('CAF_RESULTS_UNWRITABLE', `${what}: no permission for ${path} (${code})`, {
      hint: 'Choose a directory you may write to, or ask its owner.',
      cause: error,
    });
  }
  return error;
}

function spaceLeft(path: string): string {
  for (let directory = path; ; directory = dirname(directory)) {
    try {
      const stats = statfsSync(directory);
      const files = stats.files > 0 && stats.ffree < 1000 ? `, ${stats.ffree} files left` : '';
      return ` (${stats.bavail * stats.bsize} bytes left${files})`;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || directory === dirname(directory)) return '';
    }
  }
}
