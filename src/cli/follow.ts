// Reads a file as it grows. Woken by the file system, and once a second, because network file systems tell nobody.
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const TICK_MS = 1000;
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

/** `wait` resolves after a change of the path, a tick, or the abort; a change between two waits is not lost. */
export function createWaker(path: string, signal: AbortSignal): { wait(): Promise<void>; close(): void } {
  let changed = false;
  let wake: (() => void) | null = null;
  const onChange = () => {
    changed = true;
    wake?.();
  };
  let watcher: FSWatcher | null = null;
  const timer = setInterval(() => {
    watcher ??= tryWatch(path, onChange);
    onChange();
  }, TICK_MS);
  watcher = tryWatch(path, onChange);
  signal.addEventListener('abort', onChange);
  return {
    wait: async () => {
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      wake = null;
      changed = false;
    },
    close: () => {
      clearInterval(timer);
      watcher?.close();
      signal.removeEventListener('abort', onChange);
    },
  };
}

function tryWatch(path: string, onChange: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, onChange);
    // Removed, or no more watches to be had: the tick goes on.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
