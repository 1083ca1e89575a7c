// Reads a file as it grows. Woken by the file system, and once a second, because network file systems tell nobody.
import { type FileHandle, open } from 'node:fs/promises';
import { createWaker } from '../host/waker.ts';

const CHUNK = 64 * 1024;

/** Null = it is not there yet. */
export const openToFollow = (path: string): Promise<FileHandle | null> => open(path, 'r').catch(() => null);

/**
 * Chunks from byte `start` on, until `signal` aborts or `canGrow` says no and nothing new has come since. The file may appear later; a
 * truncated file starts again. `opened`: the file, where it may be renamed before the first chunk is asked for; it is closed in the end.
 */
export async function* followFile(
  path: string,
  start: number,
  signal: AbortSignal,
  canGrow: () => boolean,
  opened: FileHandle | null = null,
): AsyncGenerator<Buffer> {
  let position = start;
  let isOver = false;
  let file = opened;
  const waker = createWaker(path, signal);
  try {
    while (!signal.aborted) {
      file ??= await openToFollow(path);
      const before = position;
      if (file !== null) {
        const { size } = await file.stat();
        if (size < position) position = 0;
        while (position < size && !signal.aborted) {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(CHUNK, size - position)), 0, null, position);
          if (bytesRead === 0) break;
          position += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      }
      // What was written last may come a moment after the end was recorded.
      if (isOver && position === before) return;
      isOver = !canGrow();
      await waker.wait();
    }
  } finally {
    waker.close();
    await file?.close();
  }
}
