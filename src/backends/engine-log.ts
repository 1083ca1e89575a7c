// Reads what an engine has appended to its own log of an array since the last look.
import { readAppended } from '../host/read-appended.ts';
import type { BatchEngine, EngineTask } from './engine.ts';

/** The log of a big array is read in pieces. */
const MOST_BYTES = 2 ** 22;

/** `path` absolute; it need not be there yet. */
export function createLogReader(path: string, readLog: NonNullable<BatchEngine['readLog']>): () => readonly EngineTask[] {
  let position = 0;
  return () => {
    const text = readAppended(path, position, MOST_BYTES).toString('utf8');
    if (text === '') return [];
    const { tasks, rest } = readLog(text);
    // What is not whole, perhaps within a character, is read again.
    position += Buffer.byteLength(text.slice(0, text.length - rest.length));
    return tasks;
  };
}
