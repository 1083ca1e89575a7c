// The end of a file, however large it is: read backwards from the end, never more than a bound.
import { open } from 'node:fs/promises';
import { stripControls } from './text.ts';

export interface Tail {
  readonly lines: readonly string[];
  /** There is more before these lines. */
  readonly isCut: boolean;
}

const BLOCK = 64 * 1024;

/** A part of a file, in bytes. */
export interface FilePart {
  readonly start: number;
  readonly length: number;
}

/** The last `maxLines` lines within the last `maxBytes`, of a file or of a part of one. Null when there is no such file. */
export async function readTail(
  path: string,
  maxLines: number,
  maxBytes = 8 * 1024 * 1024,
  part: FilePart | null = null,
): Promise<Tail | null> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const first = part?.start ?? 0;
    const size = part === null ? (await file.stat()).size : first + part.length;
    const blocks: Buffer[] = [];
    let start = size;
    let newlines = 0;
    // One newline more than lines: the last line usually ends with one.
    while (start > first && newlines <= maxLines && size - start < maxBytes) {
      const length = Math.min(BLOCK, start - first);
      const block = Buffer.alloc(length);
      const { bytesRead } = await file.read(block, 0, length, start - length);
      // It was truncated meanwhile.
      if (bytesRead < length) break;
      start -= length;
      blocks.unshift(block);
      for (let i = block.indexOf(10); i !== -1; i = block.indexOf(10, i + 1)) newlines++;
    }
    const lines = Buffer.concat(blocks).toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    return { lines: lines.slice(Math.max(lines.length - maxLines, 0)), isCut: start > first || lines.length > maxLines };
  } finally {
    await file.close();
  }
}

/** A few last lines to quote in a report: without control characters, each cut to a length, a carriage return starting afresh. */
export async function readQuote(path: string, maxLines: number): Promise<readonly string[]> {
  const tail = await readTail(path, maxLines, BLOCK);
  return (tail?.lines ?? []).map((line) => stripControls(line.replace(/\r$/, '').replace(/^.*\r/, '')).slice(0, 500));
}
