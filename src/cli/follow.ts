// Reads a file as it grows. Woken by the file system, and once a second, because network file systems tell nobody.
import { type FileHandle, open } from 'node:fs/promises';
import { createWaker } from '../host/waker.ts';

const CHUNK = 64 * 1024;

/**
 * Chunks from byte `start` on, until `signal` aborts or `canGrow` says no and nothing new has come since. The file may appear later; a
 * truncated file starts again.
 */
export async function* followFile(path: string, start: number, signal: AbortSignal, canGrow: () => boolean): AsyncGenerator<Buffer> {
  let position = start;
  let isOver = false;
  let file: FileHandle | null = null;
  const waker = createWaker(path, signal);
  try {
    while (!signal.aborted) {
      file ??= await open(path, 'r').catch(() => null);
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
