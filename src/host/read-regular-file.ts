// Reads a file that a job may have put there: nothing but a regular file, in bounded size, and never waiting for it.
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Null when it is no regular file, or longer than `maxBytes`. Throws as fs does when it cannot be opened. */
export function readRegularFile(path: string, maxBytes: number): string | null {
  let fd: number;
  try {
    // A pipe must not block caf, a link must not lead it elsewhere.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= maxBytes ? readFileSync(fd, 'utf8') : null;
  } finally {
    closeSync(fd);
  }
}
