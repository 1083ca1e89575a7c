// Reads what an engine has appended to its own log of an array since the last look.
import { readAppended } from '../host/read-appended.ts';
import type { BatchEngine, EngineTask } from './engine.ts';

/** The log of a big array is read in pieces. */
const MOST_BYTES = 2 ** 22;

function lengthOfLines(bytes: Buffer, lines: number): number {
  let length = 0;
  for (let line = 0; line < lines; line += 1) length = bytes.indexOf(0x0a, length) + 1;
  return length;
}

/** `path` absolute; it need not be there yet. */
export function createLogReader(path: string, readLog: NonNullable<BatchEngine['readLog']>): () => readonly EngineTask[] {
  let position = 0;
  return () => {
    const bytes = readAppended(path, position, MOST_BYTES);
    if (bytes.length === 0) return [];
    const text = bytes.toString('utf8');
    const { tasks, rest } = readLog(text);
    // What is not whole, perhaps within a character, is read again. Counted in lines: what is no UTF-8 is longer as text than it is in the file.
    position += lengthOfLines(bytes, text.slice(0, text.length - rest.length).split('\n').length - 1);
    return tasks;
  };
}
