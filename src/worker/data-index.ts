// Where the records of each run lie in a job's records.ndjson: from the index in its result, or by reading the file once.
import { readFileSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { JOB_FILE, RECORDS_FILE, RESULT_FILE, type RunExtents } from './contract.ts';
import { badLineError, linesOf, parseRecord, readLineBlocks } from './data-records.ts';

/** `"experiment,run"` -> byte ranges, by offset. A range may hold lines of other runs too: readers look at each line's run. */
export type RecordIndex = ReadonlyMap<string, RunExtents>;

/** Above this many ranges in one file, neighbouring ones are joined: memory stays bounded, some lines are read more than once. */
const MAX_RANGES = 50_000;

/** Size of the job's records.ndjson; 0 = it has no records. */
export function recordsSize(directory: string): number {
  return statSync(join(directory, RECORDS_FILE), { throwIfNoEntry: false })?.size ?? 0;
}

/** The index caf's own worker left in result.json, or in job.json where that was put there; null = there is none that fits the file. */
export function readStoredIndex(directory: string, size: number): RecordIndex | null {
  const result = readObject(join(directory, RESULT_FILE)) ?? readObject(join(directory, JOB_FILE))?.result;
  const runs: unknown = typeof result === 'object' && result !== null ? (result as { runs?: unknown }).runs : undefined;
  if (typeof runs !== 'object' || runs === null || Array.isArray(runs)) return null;
  const index = new Map<string, RunExtents>();
  let covered = 0;
  for (const [key, ranges] of Object.entries(runs)) {
    if (!/^-?\d+,-?\d+$/.test(key) || !areRanges(ranges, size)) return null;
    for (const [, length] of ranges) covered += length;
    index.set(key, ranges);
  }
  // Ranges that do not even add up to the file belong to another file.
  return covered >= size ? index : null;
}

/** Null: it is not there, or a program's own text. */
function readObject(path: string): { readonly result?: unknown } | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' ? value : null;
  } catch {
    return null; // the records themselves are read instead
  }
}

const areRanges = (value: unknown, size: number): value is RunExtents =>
  Array.isArray(value) &&
  value.every(
    (range) =>
      Array.isArray(range) &&
      range.length === 2 &&
      range.every((part) => Number.isSafeInteger(part) && part >= 0) &&
      range[0] + range[1] <= size,
  );

/** Reads the whole file once. Rejects with CAF_RECORDS_DAMAGED at the first line that is no record. */
export async function scanRecords(file: FileHandle, path: string, size: number, maxRanges = MAX_RANGES): Promise<RecordIndex> {
  const index = new Map<string, [offset: number, length: number][]>();
  let ranges = 0;
  let joinGap = 0;
  for await (const block of readLineBlocks(file, 0, size)) {
    for (const line of linesOf(block)) {
      const record = parseRecord(line.text);
      if (typeof record === 'string') throw await badLineError(file, path, line.offset, line.text, record);
      const key = `${record.run[0]},${record.run[1]}`;
      const known = index.get(key);
      const last = known?.at(-1);
      if (last !== undefined && line.offset - (last[0] + last[1]) <= joinGap) {
        last[1] = line.offset + line.length - last[0];
        continue;
      }
      if (known === undefined) index.set(key, [[line.offset, line.length]]);
      else known.push([line.offset, line.length]);
      ranges += 1;
      while (ranges > maxRanges + index.size) {
        joinGap = Math.max(4096, joinGap * 2);
        ranges = joinRanges(index, joinGap);
      }
    }
  }
  return index;
}

/** Joins ranges of one run that lie at most `gap` bytes apart; returns how many ranges are left. */
function joinRanges(index: Map<string, [offset: number, length: number][]>, gap: number): number {
  let left = 0;
  for (const [key, ranges] of index) {
    const joined: [offset: number, length: number][] = [];
    for (const [offset, length] of ranges) {
      const last = joined.at(-1);
      if (last !== undefined && offset - (last[0] + last[1]) <= gap) last[1] = offset + length - last[0];
      else joined.push([offset, length]);
    }
    index.set(key, joined);
    left += joined.length;
  }
  return left;
}
