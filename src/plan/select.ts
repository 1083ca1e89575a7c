// Which input files are collected: what runs a file holds, the requested IoV, ignored runs.
import type { RunsOfFile } from '../domain/calibration.ts';
import { CafError, type Problem } from '../domain/errors.ts';
import { checkIov, checkRun, EVERYTHING, type Iov, intersect, iovToKeys, type Run, runKey, singleRun } from '../domain/iov.ts';
import { nearest } from '../domain/nearest.ts';
import { err, ok, type Result, unreachable } from '../domain/result.ts';

/** A run, an interval, or null: not known (no `runs` given, or its function says null). */
export type FileRuns = Run | Iov | null;

/** What the file tells of its runs, or a problem with its path and what was tried. `path` as written or matched, relative to the config. */
export function runsOfFile(spec: RunsOfFile | null, path: string): Result<FileRuns, Problem> {
  if (spec === null) return ok(null);
  try {
    switch (spec.by) {
      case 'regexp':
        return ok(runOfMatch(spec.regexp, path));
      case 'function':
        return ok(checkAnswer(spec.function(path)));
      case 'map':
        return ok(lookUp(spec.map, path));
      default:
        return unreachable(spec);
    }
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    return err({ path, message: error instanceof CafError ? told : `The function in runs fails for '${path}': ${told}` });
  }
}

const cannotTell = (message: string) => new CafError('CAF_CONFIG_INVALID', message);

function runOfMatch(regexp: RegExp, path: string): Run {
  // A global or sticky RegExp remembers where it stopped: every second file would not match.
  regexp.lastIndex = 0;
  const match = regexp.exec(path);
  regexp.lastIndex = 0;
  if (match === null) throw cannotTell(`The runs of '${path}' cannot be told: ${regexp} does not match it`);
  const { experiment, run } = match.groups ?? {};
  if (experiment === undefined || run === undefined) {
    throw cannotTell(`The runs of '${path}' cannot be told: ${regexp} needs the named groups (?<experiment>...) and (?<run>...)`);
  }
  if (!/^\d+$/.test(experiment) || !/^\d+$/.test(run)) {
    throw cannotTell(
      `The runs of '${path}' cannot be told: ${regexp} finds experiment '${experiment}' and run '${run}', which are no numbers`,
    );
  }
  return checkRun([Number(experiment), Number(run)]);
}

function checkAnswer(answer: unknown): FileRuns {
  if (answer === null) return null;
  if (answer === undefined) throw new Error('it returns nothing; null would mean that the runs are not known');
  return checkRuns(answer);
}

/** Two numbers are a run, everything else must be an interval. */
const checkRuns = (value: unknown): Run | Iov => (Array.isArray(value) && value.length === 2 ? checkRun(value) : checkIov(value));

function lookUp(map: Readonly<Record<string, Run | Iov>>, path: string): Run | Iov {
  if (Object.hasOwn(map, path)) return checkRuns(map[path]);
  const key = plainKeys(map).get(plainPath(path));
  if (key !== undefined) return checkRuns(map[key]);
  const near = nearest(path, Object.keys(map).slice(0, 1000));
  const advice =
    near === null
      ? `the map has ${Object.keys(map).length} other ${Object.keys(map).length === 1 ? 'path' : 'paths'}`
      : `did you mean '${near}'?`;
  throw cannotTell(`The runs of '${path}' cannot be told: the map does not have it; ${advice}`);
}

/** A pattern may be written './data/*.csv' where the match is 'data/a.csv', and the other way round. */
const plainPath = (path: string): string => path.replaceAll(/\/(?:\.?\/)+/g, '/').replace(/^(?:\.\/)+/, '');

const plainKeysOf = new WeakMap<object, ReadonlyMap<string, string>>();

function plainKeys(map: Readonly<Record<string, Run | Iov>>): ReadonlyMap<string, string> {
  let keys = plainKeysOf.get(map);
  if (keys === undefined) {
    keys = new Map(Object.keys(map).map((key) => [plainPath(key), key]));
    plainKeysOf.set(map, keys);
  }
  return keys;
}

export interface InputFile {
  readonly path: string;
  readonly runs: FileRuns;
}

export type DropReason = 'outside the requested IoV' | 'only ignored runs';

export interface Selection<File extends InputFile> {
  /** In the order given. */
  readonly kept: readonly File[];
  readonly dropped: readonly { readonly file: File; readonly reason: DropReason }[];
}

/**
 * Keeps every file that can hold a wanted run: a file known by an interval that overlaps the requested one, or only partly ignored, is
 * collected whole; its unwanted runs are left out later, when an algorithm selects its runs. A file of unknown runs is kept.
 */
export function selectFiles<File extends InputFile>(
  files: readonly File[],
  requestedIov: Iov | null,
  ignoredRuns: readonly Run[],
): Selection<File> {
  const ignored = [...new Set(ignoredRuns.map(runKey))].sort((a, b) => a - b);
  const kept: File[] = [];
  const dropped: { file: File; reason: DropReason }[] = [];
  for (const file of files) {
    const reason = file.runs === null ? null : reasonToDrop(asIov(file.runs), requestedIov ?? EVERYTHING, ignored);
    if (reason === null) kept.push(file);
    else dropped.push({ file, reason });
  }
  return { kept, dropped };
}

const asIov = (runs: Run | Iov): Iov => (runs.length === 2 ? singleRun(runs) : runs);

/** `ignored`: keys, sorted, each once. */
function reasonToDrop(held: Iov, requested: Iov, ignored: readonly number[]): DropReason | null {
  const wanted = intersect(held, requested);
  if (wanted === null) return 'outside the requested IoV';
  const [lo, hi] = iovToKeys(wanted);
  // Within an experiment keys are consecutive. Open ends have more runs than anybody can ignore one by one.
  const ignoredInside = countBelow(ignored, hi + 1) - countBelow(ignored, lo);
  return ignoredInside === hi - lo + 1 ? 'only ignored runs' : null;
}

const countBelow = (sorted: readonly number[], limit: number): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
};
