// Writes a collector's records through to records.ndjson, and remembers where the records of each run lie.
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { MAX_EXPERIMENT, MAX_RUN, type Run } from '../domain/iov.ts';
import { canonicalJson } from '../payloads/codec.ts';
import { RECORDS_FILE, type RunExtents } from './contract.ts';

export interface RecordWriter {
  /** Throws CAF_PAYLOAD_INVALID on a bad run, name or value, and the system's error when the file cannot be written. */
  record(run: Run, name: string, value: unknown): void;
  /** Writes what is left. Throws what an earlier write threw, even if user code caught it. */
  finish(): RecordSummary;
}

export interface RecordSummary {
  readonly records: number;
  /** Null = too scattered to be indexed. */
  readonly runs: Readonly<Record<string, RunExtents>> | null;
  /** Runs that were recorded but are not among `expected`; at most 20. */
  readonly unexpected: readonly Run[];
}

const BUFFER_BYTES = 256 * 1024;
/** Beyond this the index would cost more than reading the file once. */
const MAX_EXTENTS = 100_000;
const MAX_UNEXPECTED = 20;
/** Looked into no deeper here; the codec says what is wrong with it. */
const QUICK_DEPTH = 20;

interface Extent {
  readonly offset: number;
  length: number;
}

interface RunEntry {
  /** Start of each line of this run. */
  readonly head: string;
  readonly extents: Extent[];
}

/** `expected`: the runs the job's files are known to hold; empty = unknown. No file is made before the first record. */
export function createRecordWriter(directory: string, expected: readonly Run[]): RecordWriter {
  const path = join(directory, RECORDS_FILE);
  const expectedKeys = new Set(expected.map(String));
  const unexpected: Run[] = [];
  const entries = new Map<string, RunEntry>();
  const names = new Map<string, string>();
  let buffer: Buffer | null = null;
  let filled = 0;
  let written = 0;
  let fd = -1;
  let records = 0;
  let extents = 0;
  let broken: unknown = null;
  // Records come run by run: the last one is nearly always the next one.
  let lastExperiment = -1;
  let lastRun = -1;
  let last: RunEntry | null = null;
  let lastExtent: Extent | null = null;

  function entryOf(run: Run): RunEntry {
    checkRun(run);
    const key = `${run[0]},${run[1]}`;
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { head: `{"run":[${key}],"name":`, extents: [] };
      entries.set(key, entry);
      if (expectedKeys.size > 0 && !expectedKeys.has(key) && unexpected.length < MAX_UNEXPECTED) unexpected.push([run[0], run[1]]);
    }
    lastExperiment = run[0];
    lastRun = run[1];
    lastExtent = null;
    return entry;
  }

  function nameText(name: string): string {
    let text = names.get(name);
    if (text === undefined) {
      if (typeof name !== 'string' || name === '') {
        throw new CafError('CAF_PAYLOAD_INVALID', `The name of a record is ${JSON.stringify(name) ?? String(name)}, not a text`, {
          hint: "Call record([experiment, run], 'name', value).",
        });
      }
      text = `${JSON.stringify(name)},"value":`;
      if (names.size < 1000) names.set(name, text);
    }
    return text;
  }

  function writeAll(bytes: Buffer, length: number): void {
    if (fd === -1) fd = openSync(path, 'a');
    for (let at = 0; at < length; ) at += writeSync(fd, bytes, at, length - at);
  }

  function flush(): void {
    if (buffer !== null) writeAll(buffer, filled);
    filled = 0;
  }

  function append(line: string): number {
    buffer ??= Buffer.allocUnsafe(BUFFER_BYTES);
    // A UTF-16 unit becomes at most three bytes.
    if (line.length * 3 > BUFFER_BYTES - filled) flush();
    if (line.length * 3 <= BUFFER_BYTES) {
      const length = buffer.write(line, filled);
      filled += length;
      return length;
    }
    const bytes = Buffer.from(line);
    writeAll(bytes, bytes.length);
    return bytes.length;
  }

  return {
    record(run, name, value) {
      if (broken !== null) throw broken;
      if (last === null || !Array.isArray(run) || run.length !== 2 || run[0] !== lastExperiment || run[1] !== lastRun) last = entryOf(run);
      // JSON.stringify is fast but silently drops what JSON cannot hold; anything unusual goes the careful way, which refuses it.
      const json = isPlain(value, 0) ? JSON.stringify(value) : canonicalJson(value);
      let length: number;
      try {
        length = append(`${last.head}${nameText(name)}${json}}\n`);
      } catch (error) {
        if (!(error instanceof CafError)) broken = error;
        throw error;
      }
      if (lastExtent !== null && lastExtent.offset + lastExtent.length === written) lastExtent.length += length;
      else if (extents < MAX_EXTENTS) {
        lastExtent = { offset: written, length };
        last.extents.push(lastExtent);
        extents++;
      } else {
        extents = Infinity;
      }
      written += length;
      records++;
    },
    finish() {
      if (broken !== null) throw broken;
      if (filled > 0) flush();
      if (fd !== -1) closeSync(fd);
      broken = new CafError('CAF_PAYLOAD_INVALID', 'record was called after collect had ended', {
        hint: 'Await everything that records before collect returns.',
      });
      const runs: Record<string, RunExtents> = {};
      for (const [key, entry] of entries) if (entry.extents.length > 0) runs[key] = entry.extents.map((part) => [part.offset, part.length]);
      return { records, runs: extents > MAX_EXTENTS ? null : runs, unexpected };
    },
  };
}

function checkRun(run: unknown): asserts run is Run {
  const isIn = (value: unknown, max: number): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
  if (Array.isArray(run) && run.length === 2 && isIn(run[0], MAX_EXPERIMENT) && isIn(run[1], MAX_RUN)) return;
  throw new CafError('CAF_PAYLOAD_INVALID', `A record is filed under ${JSON.stringify(run) ?? String(run)}, which is no run`, {
    hint: `A run is [experiment, run]: two whole numbers from 0 to ${MAX_EXPERIMENT} and ${MAX_RUN}.`,
  });
}

/** Whether JSON.stringify keeps all of it: finite numbers, text, booleans, null, arrays and plain objects of these. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'number':
      // -0 as well: the careful way writes it as 0, and so does JSON.stringify.
      return Number.isFinite(value);
    case 'string':
    case 'boolean':
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth > QUICK_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) if (!isPlain(value[index], depth + 1)) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false;
  return true;
}
