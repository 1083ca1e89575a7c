// Open files of the collected data: each is opened once, and only a few stay open at a time.
import { type FileHandle, open } from 'node:fs/promises';

interface Slot {
  readonly handle: Promise<FileHandle>;
  users: number;
}

export interface FileHandles {
  /** The open file. Every acquire needs a release. Rejects as `open` does. */
  acquire(path: string): Promise<FileHandle>;
  release(path: string): void;
  close(): Promise<void>;
}

/** Keeps at most `limit` idle files open; those in use are never closed, so a reader is never cut off. */
export function createFileHandles(limit = 32): FileHandles {
  // A Map iterates in insertion order: re-inserting at each use puts the least recently used first.
  const slots = new Map<string, Slot>();

  const closeIdle = (): void => {
    for (const [path, slot] of slots) {
      if (slots.size <= limit) return;
      if (slot.users > 0) continue;
      slots.delete(path);
      void slot.handle.then((handle) => handle.close());
    }
  };

  return {
    async acquire(path) {
      const slot = slots.get(path) ?? { handle: open(path, 'r'), users: 0 };
      slots.delete(path);
      slots.set(path, slot);
      slot.users += 1;
      try {
        return await slot.handle;
      } catch (error) {
        slots.delete(path);
        throw error;
      } finally {
        closeIdle();
      }
    },
    release(path) {
      const slot = slots.get(path);
      if (slot !== undefined) slot.users -= 1;
      closeIdle();
    },
    async close() {
      const open = [...slots.values()];
      slots.clear();
      await Promise.allSettled(open.map(async (slot) => (await slot.handle).close()));
    },
  };
}
