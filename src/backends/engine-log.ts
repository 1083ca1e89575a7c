// Reads what an engine has appended to its own log of an array since the last look.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { BatchEngine, EngineTask } from './engine.ts';

/** `path` absolute; it need not be there yet. */
export function createLogReader(path: string, readLog: NonNullable<BatchEngine['readLog']>): () => readonly EngineTask[] {
  let position = 0;
  return () => {
    const text = readFrom(path, position);
    if (text === '') return [];
    const { tasks, rest } = readLog(text);
    // What is not whole, perhaps within a character, is read again.
    position += Buffer.byteLength(text.slice(0, text.length - rest.length));
    return tasks;
  };
}

const MOST_BYTES = 2 ** 22;

/** Opened each time: that is when network file systems look again. */
function readFrom(path: string, position: number): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESTALE' || code === 'EIO') return '';
    throw error;
  }
  try {
    const length = Math.min(MOST_BYTES, fstatSync(fd).size - position);
    if (length <= 0) return '';
    const bytes = Buffer.alloc(length);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, length, position));
  } finally {
    closeSync(fd);
  }
}
