// Which log is meant by CAL[/ITER[/COLLECTION/JOB]] or CAL/ITER/ALGORITHM.

import { existsSync, readdirSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { CafError } from '../domain/errors.ts';
import type { JobKey } from '../domain/job.ts';
import { nearest } from '../domain/nearest.ts';
import { OBJECTS_DIRECTORY } from '../domain/results-directory.ts';
import type { FilePart } from '../report/tail.ts';
import { attemptDirectory, attemptPaths, attemptsIn } from '../runners/algorithm-attempts.ts';
import { ARCHIVE_FILE, findArchived } from '../runners/job-archive.ts';
import type { StoredEntry } from '../runners/tar.ts';
import { JOB_FILE, STDERR_FILE, STDOUT_FILE } from '../worker/contract.ts';

export type FoundLog =
  /** Lines of caf.log: all, of a calibration, of an iteration. */
  | { readonly kind: 'events'; readonly calibration: string | null; readonly iteration: number | null }
  /** What a program or function printed; the files may not exist (yet). */
  | {
      readonly kind: 'output';
      readonly of: AlgorithmKey | (JobKey & { readonly attempt: number });
      readonly title: string;
      readonly files: readonly LogFile[];
      readonly directory: string;
    };

export interface LogFile {
  /** Relative to the directory. */
  readonly name: string;
  /** Absolute; of an archived job its archive. */
  readonly path: string;
  /** Null: the whole file. */
  readonly part: FilePart | null;
}

export interface AlgorithmKey {
  readonly calibration: string;
  readonly iteration: number;
  readonly algorithm: string;
}

/** Throws CAF_USAGE with the nearest name. */
export async function findLog(results: string, argument: string | undefined, attempt: number | null): Promise<FoundLog> {
  if (argument === undefined) return { kind: 'events', calibration: null, iteration: null };
  const [calibration = '', ...rest] = argument.replace(/\/+$/, '').split('/');
  const names = directoriesIn(results).filter((name) => name !== OBJECTS_DIRECTORY && !name.startsWith('.'));
  const base = join(results, known('calibration', calibration, names, ''));
  const iterations = directoriesIn(base).filter((name) => /^\d+$/.test(name));
  const newest = iterations.toSorted((a, b) => Number(a) - Number(b)).at(-1);
  const hasIteration = /^\d+$/.test(rest[0] ?? '');
  if (rest.length === 0) return { kind: 'events', calibration, iteration: null };
  if (newest === undefined) throw new CafError('CAF_USAGE', `'${calibration}' has no iteration yet`, { hint: `caf logs ${calibration}` });
  const iteration = hasIteration ? known('iteration', rest[0] ?? '', iterations, calibration) : newest;
  const [name, job, ...tooMany] = hasIteration ? rest.slice(1) : rest;
  if (name === undefined) return { kind: 'events', calibration, iteration: Number(iteration) };
  if (tooMany.length > 0) {
    throw new CafError('CAF_USAGE', `'${argument}' has too many parts`, {
      hint: 'write CALIBRATION/ITERATION/COLLECTION/JOB or CALIBRATION/ITERATION/ALGORITHM',
    });
  }
  const place: Place = { calibration, iteration: Number(iteration), at: `${calibration}/${iteration}` };
  return job === undefined
    ? findAlgorithmLog(join(base, iteration), place, name)
    : findJobLog(join(base, iteration), place, name, job, attempt);
}

interface Place {
  readonly calibration: string;
  readonly iteration: number;
  /** For messages. */
  readonly at: string;
}

function findAlgorithmLog(iteration: string, { at, ...place }: Place, name: string): FoundLog {
  const collections = directoriesIn(join(iteration, 'collector'));
  if (collections.includes(name)) {
    throw new CafError('CAF_USAGE', `'${name}' is a collection of ${at}: which of its jobs?`, { hint: `caf logs ${at}/${name}/0` });
  }
  const algorithms = directoriesIn(join(iteration, 'algorithms'));
  const directory = join(iteration, 'algorithms', known('algorithm', name, [...algorithms, ...collections], at));
  // On a batch engine each attempt works in a directory of its own, until it counts.
  const attempts = attemptsIn(directory).flatMap((attempt) => {
    const own = attemptDirectory(directory, attempt);
    return [own, ...placesOf(attemptPaths(own).work)];
  });
  const files = [...placesOf(directory), ...attempts].flatMap((place) => outputFiles(directory, relative(directory, place)));
  return { kind: 'output', of: { ...place, algorithm: name }, title: `${at}/${name}`, files, directory };
}

/** A program has a directory of its own for its setup and for each execution. */
function placesOf(directory: string): readonly string[] {
  const own = directoriesIn(directory)
    .filter((entry) => /^(?:setup|(?:boundaries|execution)-\d+)$/.test(entry))
    .toSorted((a, b) => rankOf(a) - rankOf(b));
  return [directory, ...own.map((entry) => join(directory, entry))];
}

/** setup, boundaries, then the executions by number. */
const rankOf = (entry: string): number => (/^\w+-\d+$/.test(entry) ? Number(entry.split('-')[1]) + (entry.startsWith('e') ? 1e9 : 0) : -1);

async function findJobLog(
  iteration: string,
  { at, ...place }: Place,
  name: string,
  job: string,
  attempt: number | null,
): Promise<FoundLog> {
  const collector = join(iteration, 'collector');
  const collection = join(collector, known('collection', name, directoriesIn(collector), at));
  const attempts = directoriesIn(collection).flatMap((entry) => {
    const [, number, n] = /^(\d+)\.attempt-(\d+)$/.exec(entry) ?? [];
    return number === job && n !== undefined ? [Number(n)] : [];
  });
  const counted = join(collection, job);
  const isThere = /^\d+$/.test(job) && existsSync(counted);
  const archived = isThere || !/^\d+$/.test(job) ? null : findArchived(collection, job);
  const countedAttempt = await readAttempt(archived === null ? wholeFile(counted, JOB_FILE) : partOf(collection, archived, JOB_FILE));
  const wanted = attempt ?? countedAttempt ?? Math.max(...attempts);
  const title = `${at}/${name}/${job}${Number.isFinite(wanted) ? `, attempt ${wanted}` : ''}`;
  const of = { ...place, collection: name, job: Number(job), attempt: wanted };
  if (archived !== null && (attempt === null || attempt === countedAttempt)) {
    const files = LOGS.flatMap((log) => partOf(collection, archived, log) ?? []);
    return { kind: 'output', of, title, files, directory: join(collection, ARCHIVE_FILE) };
  }
  const directory = isThere && (attempt === null || attempt === countedAttempt) ? counted : join(collection, `${job}.attempt-${wanted}`);
  if (!existsSync(directory)) {
    const what =
      attempt === null ? `Job '${job}' of ${at}/${name} was not started` : `Job '${job}' of ${at}/${name} has no attempt ${attempt}`;
    const all = attempts.concat(countedAttempt ?? []).toSorted((a, b) => a - b);
    throw new CafError('CAF_USAGE', what, { hint: all.length > 0 ? `its attempts: ${all.join(', ')}` : `caf logs ${at}` });
  }
  return { kind: 'output', of, title, files: outputFiles(directory), directory };
}

const LOGS = [STDOUT_FILE, STDERR_FILE];

const wholeFile = (directory: string, name: string): LogFile => ({ name, path: join(directory, name), part: null });

const outputFiles = (directory: string, below = ''): LogFile[] => LOGS.map((name) => wholeFile(directory, join(below, name)));

/** A file of an archived job. */
function partOf(collection: string, files: ReadonlyMap<string, StoredEntry>, name: string): LogFile | null {
  const entry = files.get(name);
  return entry === undefined ? null : { name, path: join(collection, ARCHIVE_FILE), part: { start: entry.offset, length: entry.size } };
}

async function readAttempt(file: LogFile | null): Promise<number | null> {
  if (file === null) return null;
  try {
    const { attempt } = JSON.parse(await readText(file)) as { readonly attempt?: unknown };
    return typeof attempt === 'number' ? attempt : null;
  } catch {
    // Only the header would show it.
    return null;
  }
}

async function readText({ path, part }: LogFile): Promise<string> {
  if (part === null) return readFile(path, 'utf8');
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(part.length);
    await file.read(bytes, 0, part.length, part.start);
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}

/** Names come from the disk, so that nothing outside the results directory can be asked for. */
function known(what: string, name: string, names: readonly string[], where: string): string {
  if (names.includes(name)) return name;
  const near = what === 'iteration' ? null : nearest(name, names);
  const shown = names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).slice(0, 8);
  const hint =
    near !== null
      ? `did you mean '${near}'?`
      : shown.length > 0
        ? `there are: ${shown.join(', ')}${names.length > 8 ? ', ...' : ''}`
        : 'caf status';
  throw new CafError('CAF_USAGE', `There is no ${what} '${name}'${where === '' ? ' here' : ` in ${where}`}`, { hint });
}

function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
