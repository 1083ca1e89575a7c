// Wakes whoever waits for a file or directory to change: by the file system, and by a tick, because network file systems tell nobody.
import { type FSWatcher, watch } from 'node:fs';
import { basename } from 'node:path';

const TICK_MS = 1000;

export interface Waker {
  /** Resolves after a change of the path, a tick, or the abort; a change between two waits is not lost. */
  wait(): Promise<void>;
  close(): void;
}

export interface WakerOptions {
  /** Default: a second. */
  readonly tickMs?: number;
  /** False: a process that has nothing else to do ends all the same. Default true. */
  readonly keepsAlive?: boolean;
}

/** The path may appear later. */
export function createWaker(path: string, signal: AbortSignal, { tickMs = TICK_MS, keepsAlive = true }: WakerOptions = {}): Waker {
  let changed = false;
  let wake: (() => void) | null = null;
  const onChange = () => {
    changed = true;
    wake?.();
  };
  let watcher: FSWatcher | null = null;
  const watchIt = () => {
    watcher ??= tryWatch(path, keepsAlive, onChange, () => {
      watcher = null;
    });
  };
  const timer = setInterval(() => {
    watchIt();
    onChange();
  }, tickMs);
  if (!keepsAlive) timer.unref();
  watchIt();
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

function tryWatch(path: string, persistent: boolean, onChange: () => void, onLost: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent }, (event, name) => {
      onChange();
      // What was watched is no longer there under its name: the next tick watches what is.
      if (event === 'rename' && name === basename(path)) lose();
    });
    const lose = () => {
      watcher.close();
      onLost();
    };
    // Removed, or no more watches to be had: the tick goes on.
    watcher.on('error', lose);
    return watcher;
  } catch {
    return null;
  }
}
