// The collected data of a calibration, as its algorithms read it: which runs exist, their records in a fixed order, their files.
import { open } from 'node:fs/promises';
import { join, matchesGlob } from 'node:path';
import { compareRuns, formatRun, type Run } from '../domain/iov.ts';
import { type CollectedJob, RECORDS_FILE, type RunExtents } from './contract.ts';
import { createFileHandles, type FileHandles } from './data-handles.ts';
import { type RecordIndex, readStoredIndex, recordsSize, scanRecords } from './data-index.ts';
import { badLineError, type DataRecord, linesOf, parseRecord, readLineBlocks } from './data-records.ts';

export interface DataFilter {
  /** Only of this collection; default all. */
  readonly collection?: string;
}

/** What one execution sees: nothing of other runs. */
export interface ExecutionData {
  readonly runs: readonly Run[];
  /** Records of this name in the order collection, job, line. Streamed: no more than a block of lines is held. Rejects with CAF_RECORDS_DAMAGED. */
  records(name: string, filter?: DataFilter): AsyncIterable<{ readonly run: Run; readonly value: unknown }>;
  /** Absolute paths of the output files of the jobs with these runs, in the order collection, job, path. `pattern`: a glob on the relative path. */
  files(pattern?: string, filter?: DataFilter): readonly string[];
}

/** A part of one records.ndjson that holds the records of some runs, for programs. */
export interface RecordsPart {
  readonly path: string;
  /** True: every record of the file belongs to the runs. */
  readonly whole: boolean;
  readonly ranges: RunExtents;
}

export interface CollectedData {
  /** All runs that exist, sorted: those named by records, and those of the files of jobs without records. */
  readonly runs: readonly Run[];
  readonly jobs: number;
  of(runs: readonly Run[]): ExecutionData;
  /** Where the records of these runs lie. A part that is not whole may hold lines of other runs. */
  recordsParts(runs: readonly Run[]): readonly RecordsPart[];
  /** Copies the lines of `part` that are records of these runs. */
  copyRecords(part: RecordsPart, runs: readonly Run[], write: (lines: string) => Promise<void>): Promise<void>;
  /** Bytes of records read so far. */
  bytesRead(): number;
  close(): Promise<void>;
}

interface IndexedJob {
  readonly job: CollectedJob;
  readonly path: string;
  readonly size: number;
  /** Null = it has no records. */
  readonly index: RecordIndex | null;
}

/** The CollectedJob list, one JSON object per line. */
export async function readCollectedJobs(dataFile: string): Promise<readonly CollectedJob[]> {
  const jobs: CollectedJob[] = [];
  const file = await open(dataFile, 'r');
  try {
    // Not node:readline, which also ends lines at U+2028, legal in a file name and in JSON.
    for await (const block of readLineBlocks(file, 0, (await file.stat()).size)) {
      for (const { text } of linesOf(block)) jobs.push(JSON.parse(text) as CollectedJob);
    }
  } finally {
    await file.close();
  }
  return jobs;
}

/** Indexes the records of all jobs. Rejects with CAF_RECORDS_DAMAGED. The caller closes it. */
export async function openCollectedData(jobs: readonly CollectedJob[]): Promise<CollectedData> {
  const handles = createFileHandles();
  const indexed: IndexedJob[] = [];
  try {
    for (const job of jobs) indexed.push(await indexJob(job, handles));
  } catch (error) {
    await handles.close();
    throw error;
  }
  return new JobsData(indexed, handles);
}

async function indexJob(job: CollectedJob, handles: FileHandles): Promise<IndexedJob> {
  const path = join(job.directory, RECORDS_FILE);
  const size = recordsSize(job.directory);
  if (size === 0) return { job, path, size, index: null };
  const stored = readStoredIndex(job.directory, size);
  if (stored !== null) return { job, path, size, index: stored };
  const file = await handles.acquire(path);
  try {
    const index = await scanRecords(file, path, size);
    return { job, path, size, index: index.size === 0 ? null : index };
  } finally {
    handles.release(path);
  }
}

class JobsData implements CollectedData {
  readonly runs: readonly Run[];
  readonly #jobs: readonly IndexedJob[];
  readonly #handles: FileHandles;
  /** run -> positions in #jobs, ascending. */
  readonly #jobsOfRun = new Map<string, number[]>();
  /** Jobs whose runs nobody knows: they belong to every execution. */
  readonly #jobsWithoutRuns: number[] = [];
  #bytesRead = 0;

  constructor(jobs: readonly IndexedJob[], handles: FileHandles) {
    this.#jobs = jobs;
    this.#handles = handles;
    for (const [position, { job, index }] of jobs.entries()) {
      const keys = index === null ? new Set(job.fileRuns.map(formatRun)) : index.keys();
      let known = false;
      for (const key of keys) {
        known = true;
        const positions = this.#jobsOfRun.get(key);
        if (positions === undefined) this.#jobsOfRun.set(key, [position]);
        else positions.push(position);
      }
      if (!known) this.#jobsWithoutRuns.push(position);
    }
    this.runs = [...this.#jobsOfRun.keys()].map(parseRun).sort(compareRuns);
  }

  get jobs(): number {
    return this.#jobs.length;
  }

  of(runs: readonly Run[]): ExecutionData {
    return {
      runs,
      records: (name, filter) => this.#records(name, runs, filter),
      files: (pattern, filter) => this.#files(pattern, runs, filter),
    };
  }

  recordsParts(runs: readonly Run[]): readonly RecordsPart[] {
    const keys = new Set(runs.map(formatRun));
    return this.#jobsOf(keys).flatMap(({ path, index }) =>
      index === null ? [] : [{ path, whole: index.keys().every((key) => keys.has(key)), ranges: rangesOf(index, keys) }],
    );
  }

  async copyRecords(part: RecordsPart, runs: readonly Run[], write: (lines: string) => Promise<void>): Promise<void> {
    const keys = new Set(runs.map(formatRun));
    for await (const block of this.#blocks(part.path, part.ranges, keys)) {
      if (block.length > 0) await write(block.map(({ text }) => `${text}\n`).join(''));
    }
  }

  bytesRead(): number {
    return this.#bytesRead;
  }

  close(): Promise<void> {
    return this.#handles.close();
  }

  async *#records(name: string, runs: readonly Run[], filter: DataFilter = {}): AsyncGenerator<{ run: Run; value: unknown }> {
    const keys = new Set(runs.map(formatRun));
    for (const { job, path, index } of this.#jobsOf(keys)) {
      if (index === null || !isWanted(job, filter)) continue;
      for await (const block of this.#blocks(path, rangesOf(index, keys), keys)) {
        for (const { record } of block) if (record.name === name) yield { run: record.run, value: record.value };
      }
    }
  }

  #files(pattern: string | undefined, runs: readonly Run[], filter: DataFilter = {}): readonly string[] {
    return this.#jobsOf(new Set(runs.map(formatRun)))
      .filter(({ job }) => isWanted(job, filter))
      .flatMap(({ job }) =>
        job.outputs.filter((output) => pattern === undefined || matchesGlob(output, pattern)).map((output) => join(job.directory, output)),
      );
  }

  /** Records of these runs, with their text; in blocks, because an asynchronous step per line costs more than the line. */
  async *#blocks(path: string, ranges: RunExtents, keys: ReadonlySet<string>): AsyncGenerator<{ text: string; record: DataRecord }[]> {
    const file = await this.#handles.acquire(path);
    try {
      for (const [offset, length] of ranges) {
        for await (const block of readLineBlocks(file, offset, length)) {
          this.#bytesRead += block.bytes.length;
          const found: { text: string; record: DataRecord }[] = [];
          for (const line of linesOf(block)) {
            const record = parseRecord(line.text);
            if (typeof record === 'string') throw await badLineError(file, path, line.offset, line.text, record);
            if (keys.has(formatRun(record.run))) found.push({ text: line.text, record });
          }
          yield found;
        }
      }
    } finally {
      this.#handles.release(path);
    }
  }

  /** The jobs with any of these runs, and those whose runs nobody knows, in the fixed order. */
  #jobsOf(keys: ReadonlySet<string>): readonly IndexedJob[] {
    const positions = new Set(this.#jobsWithoutRuns);
    for (const key of keys) for (const position of this.#jobsOfRun.get(key) ?? []) positions.add(position);
    return [...positions].sort((a, b) => a - b).flatMap((position) => this.#jobs[position] ?? []);
  }
}

const isWanted = (job: CollectedJob, filter: DataFilter): boolean =>
  filter.collection === undefined || filter.collection === job.collection;

/** The ranges of these runs in file order, joined where they touch: a job read as a whole is read in one go. */
function rangesOf(index: RecordIndex, keys: ReadonlySet<string>): RunExtents {
  const wanted: (readonly [offset: number, length: number])[] = [];
  const smaller = keys.size < index.size ? keys : index.keys();
  for (const key of smaller) if (keys.has(key)) for (const range of index.get(key) ?? []) wanted.push(range);
  wanted.sort((a, b) => a[0] - b[0]);
  const joined: [offset: number, length: number][] = [];
  for (const [offset, length] of wanted) {
    const last = joined.at(-1);
    if (last !== undefined && offset <= last[0] + last[1]) last[1] = Math.max(last[1], offset + length - last[0]);
    else joined.push([offset, length]);
  }
  return joined;
}

function parseRun(key: string): Run {
  const [experiment = '', run = ''] = key.split(',');
  return [Number(experiment), Number(run)];
}
