// Reads records.ndjson: whole lines of a byte range, and each line as a record or an error that names file, line and first bytes.
import type { FileHandle } from 'node:fs/promises';
import { CafError } from '../domain/errors.ts';
import { MAX_EXPERIMENT, MAX_RUN, type Run } from '../domain/iov.ts';

/** One line of records.ndjson. */
export interface DataRecord {
  readonly run: Run;
  readonly name: string;
  readonly value: unknown;
}

/** Whole lines, one after the other, and where in the file they begin. */
export interface LineBlock {
  readonly bytes: Buffer;
  readonly offset: number;
}

const NEWLINE = 0x0a;
const BLANK = /^\s*$/;
const CHUNK_BYTES = 256 * 1024;

/**
 * The lines of bytes `from` to `from + length`, in blocks. A block is valid until the next one is asked for.
 * Memory: one chunk, or the longest line.
 */
export async function* readLineBlocks(file: FileHandle, from: number, length: number): AsyncGenerator<LineBlock, void, undefined> {
  const end = from + length;
  let buffer = Buffer.allocUnsafe(Math.min(length, CHUNK_BYTES));
  let offset = from;
  let filled = 0;
  while (offset + filled < end) {
    // A line longer than the buffer: only then does it grow.
    if (filled === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    const { bytesRead } = await file.read(buffer, filled, Math.min(buffer.length - filled, end - offset - filled), offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
    const lastNewline = buffer.lastIndexOf(NEWLINE, filled - 1);
    if (lastNewline === -1) continue;
    const used = lastNewline + 1;
    yield { bytes: buffer.subarray(0, used), offset };
    buffer.copyWithin(0, used, filled);
    offset += used;
    filled -= used;
  }
  if (filled > 0) yield { bytes: buffer.subarray(0, filled), offset };
}

/** The lines of a block that are not blank: where each begins in the file, its length with its newline, and its text. */
export function* linesOf(block: LineBlock): Generator<{ readonly offset: number; readonly length: number; readonly text: string }> {
  for (let at = 0; at < block.bytes.length; ) {
    const newline = block.bytes.indexOf(NEWLINE, at);
    const next = newline === -1 ? block.bytes.length : newline + 1;
    const text = block.bytes.toString('utf8', at, newline === -1 ? next : newline);
    if (!BLANK.test(text)) yield { offset: block.offset + at, length: next - at, text };
    at = next;
  }
}

export const isRun = (value: unknown): value is Run =>
  Array.isArray(value) && value.length === 2 && isWithin(value[0], MAX_EXPERIMENT) && isWithin(value[1], MAX_RUN);

const isWithin = (value: unknown, highest: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= highest;

/** The record in a line; a sentence when it holds none. */
export function parseRecord(text: string): DataRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON (${error instanceof Error ? error.message : String(error)})`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is not an object';
  const { run, name, value: content } = value as { run?: unknown; name?: unknown; value?: unknown };
  if (!isRun(run)) return 'its "run" is not [experiment, run]';
  if (typeof name !== 'string') return 'its "name" is not a text';
  return { run, name, value: content };
}

const FIRST_CHARACTERS = 60;

/** Says which line of which file is wrong. Counts the lines before it, so only called for an error. */
export async function badLineError(file: FileHandle, path: string, offset: number, text: string, problem: string): Promise<CafError> {
  let line = 1;
  for await (const block of readLineBlocks(file, 0, offset)) {
    for (let at = block.bytes.indexOf(NEWLINE); at !== -1; at = block.bytes.indexOf(NEWLINE, at + 1)) line += 1;
  }
  const start = text.length > FIRST_CHARACTERS ? `${text.slice(0, FIRST_CHARACTERS)}...` : text;
  return new CafError(
    'CAF_RECORDS_DAMAGED',
    `Line ${line} of ${path} cannot be read: ${problem}. It begins with ${JSON.stringify(start)}`,
    {
      hint: 'A record is one line: { "run": [7, 12], "name": "adc", "value": ... }. Correct the collector and run it again.',
      at: { file: path, line },
    },
  );
}
