// Reads what others have appended to a file since the last look, also over a network file system.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const NOTHING = Buffer.alloc(0);

/** From `position` on. Empty: nothing new, no such file (yet), no regular file, or its server is away for a moment. */
export function readAppended(path: string, position: number, maxBytes = Infinity): Buffer {
  let fd: number;
  try {
    // Opened each time: that is when network file systems look again. A pipe in its place must not be waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESTALE' || code === 'EIO') return NOTHING;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    const length = stat.isFile() ? Math.min(maxBytes, stat.size - position) : 0;
    if (length <= 0) return NOTHING;
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
  } finally {
    closeSync(fd);
  }
}

/** Gives the whole lines that were appended since the last call, without their ends. */
export function createLineReader(path: string): () => readonly string[] {
  let position = 0;
  return () => {
    const bytes = readAppended(path, position);
    const complete = bytes.lastIndexOf(0x0a) + 1;
    position += complete;
    return complete === 0 ? [] : bytes.toString('utf8', 0, complete - 1).split('\n');
  };
}
