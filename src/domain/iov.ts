// Runs and intervals of validity (IoV): the shapes users write, the keys they are computed with, and their algebra.
import { CafError } from './errors.ts';

/** A data run: `[experiment, run]`. */
export type Run = readonly [experiment: number, run: number];

/** A closed interval of runs `[expLow, runLow, expHigh, runHigh]`; -1 = open (`[e, r, e, -1]` to the end of the experiment, `[e, r, -1, -1]` for ever). */
export type Iov = readonly [expLow: number, runLow: number, expHigh: number, runHigh: number];

/** An interval as two keys, both inclusive. */
export type KeyRange = readonly [lo: number, hi: number];

/** Keys are `exp * RUNS_PER_EXPERIMENT + run`: exact in a JS number for the whole domain. */
export const RUNS_PER_EXPERIMENT = 2 ** 32;
export const MAX_EXPERIMENT = 1_048_575;
export const MAX_RUN = 4_294_967_294;
/** The upper key of `e,r,-1,-1`. `FOREVER + 1` is still exact; nothing above it is. */
export const FOREVER = Number.MAX_SAFE_INTEGER;
/** Run part of an upper key that means "all further runs of the experiment". */
const ALL_RUNS = RUNS_PER_EXPERIMENT - 1;

export const EVERYTHING: Iov = [0, 0, -1, -1];

const FORMAT_HINT = 'Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.';

// ---------------------------------------------------------------------------------------------------------------- keys

/** The key of a moment. The caller has checked the domain. */
export const key = (experiment: number, run: number): number => experiment * RUNS_PER_EXPERIMENT + run;

export const runKey = (run: Run): number => key(run[0], run[1]);

const keyToRun = (value: number): Run => [Math.floor(value / RUNS_PER_EXPERIMENT), value % RUNS_PER_EXPERIMENT];

/**
 * Both ends of an interval as keys, inclusive. An end at the last run of the domain is the open end: they hold the same runs,
 * and so no cut can ever lie between that run and the end of its experiment, nor between the last experiment and for ever.
 */
export const iovToKeys = (iov: Iov): KeyRange => [loKey(iov), hiKey(iov)];

/** The lower end alone, as in iovToKeys: no array is made. */
export const loKey = (iov: Iov): number => key(iov[0], iov[1]);

/** The upper end alone. */
export const hiKey = ([, , experiment, run]: Iov): number => {
  if (experiment === -1) return FOREVER;
  if (run !== -1 && run < MAX_RUN) return key(experiment, run);
  return experiment >= MAX_EXPERIMENT ? FOREVER : key(experiment, ALL_RUNS);
};

export function keysToIov(lo: number, hi: number): Iov {
  const [expLow, runLow] = keyToRun(lo);
  if (hi >= FOREVER) return [expLow, runLow, -1, -1];
  const [expHigh, runHigh] = keyToRun(hi);
  return [expLow, runLow, expHigh, runHigh === ALL_RUNS ? -1 : runHigh];
}

// -------------------------------------------------------------------------------------------------------------- checks

/** Strict reading of `firstExp,firstRun,finalExp,finalRun`: decimal integers, no spaces. CAF_IOV_FORMAT and the errors of checkIov. */
export function parseIov(text: string): Iov {
  return checkNumbers(splitText(text), text);
}

/** Four whole numbers as an interval; null when they are not a good one: then checkIov says why. */
export const iovOrNull = (expLow: number, runLow: number, expHigh: number, runHigh: number): Iov | null =>
  isInOrder(expLow, runLow, expHigh, runHigh) ? [expLow, runLow, expHigh, runHigh] : null;

/** Whether four whole numbers are a good interval: all of checkNumbers at once, without its reasons. */
function isInOrder(expLow: number, runLow: number, expHigh: number, runHigh: number): boolean {
  if (expLow < 0 || runLow < 0 || expHigh < -1 || runHigh < -1) return false;
  if (expLow > MAX_EXPERIMENT || runLow > MAX_RUN || expHigh > MAX_EXPERIMENT || runHigh > MAX_RUN) return false;
  if (expHigh === -1) return runHigh === -1;
  return expHigh > expLow || (expHigh === expLow && (runHigh === -1 || runHigh >= runLow));
}

/** For existing files only: repairs what Belle II repairs, with a warning each; `iov: null` = the empty interval, to be skipped. */
export function parseIovLenient(text: string): { readonly iov: Iov | null; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  let [expLow, runLow, expHigh, runHigh] = splitText(text);
  if (expLow === -1 && runLow === -1 && expHigh === -1 && runHigh === -1) {
    return { iov: null, warnings: [`the interval ${text} is empty; it is skipped`] };
  }
  if (expLow === -1 || runLow === -1) {
    if (expLow === -1) expLow = 0;
    if (runLow === -1) runLow = 0;
    warnings.push(`the lower bound -1 in ${text} is read as 0`);
  }
  if (expHigh === -1 && runHigh !== -1) {
    runHigh = -1;
    warnings.push(`the interval ${text} is open in the experiment; its final run ${text.slice(text.lastIndexOf(',') + 1)} is ignored`);
  }
  return { iov: checkNumbers([expLow, runLow, expHigh, runHigh], text), warnings };
}

/** Checks an interval given as an array. Errors: CAF_IOV_FORMAT, _EMPTY, _NEGATIVE, _OPEN, _RANGE, _ORDER. */
export function checkIov(value: unknown): Iov {
  if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isInteger)) {
    throw new CafError('CAF_IOV_FORMAT', `An interval is an array of four whole numbers, found ${show(value)}`, { hint: FORMAT_HINT });
  }
  const [a, b, c, d]: readonly number[] = value;
  if (a !== undefined && b !== undefined && c !== undefined && d !== undefined && isInOrder(a, b, c, d))
    return [a + 0, b + 0, c + 0, d + 0];
  // -0 would print as 0 but compare as a different value
  const numbers = value.map((number: number) => (number === 0 ? 0 : number)) as unknown as Iov;
  return checkNumbers(numbers, numbers.join(','));
}

/** Checks a run given as an array. Errors: CAF_IOV_FORMAT, CAF_IOV_NEGATIVE, CAF_IOV_RANGE. */
export function checkRun(value: unknown): Run {
  if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) {
    throw new CafError('CAF_IOV_FORMAT', `A run is an array of two whole numbers [experiment, run], found ${show(value)}`, {
      hint: 'Write for instance [7, 12].',
    });
  }
  const experiment: number = value[0] === 0 ? 0 : value[0];
  const run: number = value[1] === 0 ? 0 : value[1];
  if (experiment < 0 || run < 0) {
    throw new CafError('CAF_IOV_NEGATIVE', `The run ${experiment},${run} is negative`, { hint: 'Experiments and runs count from 0.' });
  }
  checkDomain(experiment, run, `The run ${experiment},${run}`);
  return [experiment, run];
}

const DECIMAL = /^(?:-?\d+),(?:-?\d+),(?:-?\d+),(?:-?\d+)$/;

function splitText(text: string): Iov {
  if (!DECIMAL.test(text)) {
    throw new CafError('CAF_IOV_FORMAT', `'${text}' is not an interval: expected four whole numbers with commas and no spaces`, {
      hint: FORMAT_HINT,
    });
  }
  const [expLow = 0, runLow = 0, expHigh = 0, runHigh = 0] = text.split(',').map((part) => Number(part) + 0);
  return [expLow, runLow, expHigh, runHigh];
}

function checkNumbers(iov: Iov, text: string): Iov {
  const [expLow, runLow, expHigh, runHigh] = iov;
  if (expLow === -1 && runLow === -1 && expHigh === -1 && runHigh === -1) {
    throw new CafError('CAF_IOV_EMPTY', 'The interval -1,-1,-1,-1 is empty: it holds no run', { hint: 'For everything, write 0,0,-1,-1.' });
  }
  if (expLow < 0 || runLow < 0 || expHigh < -1 || runHigh < -1) {
    throw new CafError('CAF_IOV_NEGATIVE', `The interval ${text} has a negative bound`, {
      hint: 'Only the final values can be -1 (open); an interval begins at experiment 0, run 0 or later.',
    });
  }
  if (expHigh === -1 && runHigh !== -1) {
    throw new CafError('CAF_IOV_OPEN', `The interval ${text} is open in the experiment but ends at run ${runHigh}`, {
      hint: `Write ${expLow},${runLow},-1,-1 for ever, or name the final experiment.`,
    });
  }
  checkDomain(expLow, runLow, `The interval ${text}`);
  checkDomain(expHigh, runHigh, `The interval ${text}`);
  const [lo, hi] = iovToKeys(iov);
  if (lo > hi) {
    throw new CafError('CAF_IOV_ORDER', `The interval ${text} ends before it begins`, { hint: 'The first run comes first.' });
  }
  return iov;
}

function checkDomain(experiment: number, run: number, what: string): void {
  if (experiment > MAX_EXPERIMENT || run > MAX_RUN) {
    throw new CafError('CAF_IOV_RANGE', `${what} lies outside the domain: experiments 0 to ${MAX_EXPERIMENT}, runs 0 to ${MAX_RUN}`, {
      hint: 'For an open end write -1.',
    });
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.slice(0, 6).map(show).join(', ')}${value.length > 6 ? ', ...' : ''}]`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

// ---------------------------------------------------------------------------------------------------------------- runs

export const formatIov = ([expLow, runLow, expHigh, runHigh]: Iov): string => `${expLow},${runLow},${expHigh},${runHigh}`;

/** `experiment,run`, as the keys of a result's index of records. */
export const formatRun = (run: Run): string => `${run[0]},${run[1]}`;

export const compareRuns = (a: Run, b: Run): number => a[0] - b[0] || a[1] - b[1];

/** The run before, within the experiment; null before run 0. */
export const previousRun = (run: Run): Run | null => (run[1] === 0 ? null : [run[0], run[1] - 1]);

/** The run after, within the experiment; null after the last run of the domain. */
export const nextRun = (run: Run): Run | null => (run[1] >= MAX_RUN ? null : [run[0], run[1] + 1]);

/** Sorted, each once. */
export function sortRuns(runs: Iterable<Run>): readonly Run[] {
  const sorted = [...runs].sort(compareRuns);
  return sorted.filter((run, index) => index === 0 || compareRuns(run, sorted[index - 1] ?? run) !== 0);
}

export const singleRun = (run: Run): Iov => [run[0], run[1], run[0], run[1]];

export const isSingleRun = ([expLow, runLow, expHigh, runHigh]: Iov): boolean => expLow === expHigh && runLow === runHigh;

// ------------------------------------------------------------------------------------------------------------- algebra

export function contains(iov: Iov, run: Run): boolean {
  const [lo, hi] = iovToKeys(iov);
  const at = runKey(run);
  return lo <= at && at <= hi;
}

/** What two intervals share; null = nothing. */
export function intersect(a: Iov, b: Iov): Iov | null {
  const [aLo, aHi] = iovToKeys(a);
  const [bLo, bHi] = iovToKeys(b);
  const lo = Math.max(aLo, bLo);
  const hi = Math.min(aHi, bHi);
  return lo <= hi ? keysToIov(lo, hi) : null;
}

/** What remains of `a` without `b`: 0, 1 or 2 intervals. */
export function subtract(a: Iov, b: Iov): readonly Iov[] {
  const [aLo, aHi] = iovToKeys(a);
  const [bLo, bHi] = iovToKeys(b);
  if (bLo > aHi || bHi < aLo) return [a];
  const pieces: Iov[] = [];
  if (aLo < bLo) pieces.push(keysToIov(aLo, bLo - 1));
  if (bHi < aHi) pieces.push(keysToIov(bHi + 1, aHi));
  return pieces;
}

/** Sorted, with what touches or overlaps joined. `startOne`: run 1 counts as the first run of an experiment. */
export function normalise(iovs: readonly Iov[], options: { readonly startOne?: boolean } = {}): readonly Iov[] {
  return normaliseKeys(iovs.map(iovToKeys), options.startOne === true).map(([lo, hi]) => keysToIov(lo, hi));
}

function normaliseKeys(ranges: readonly KeyRange[], startOne: boolean): readonly KeyRange[] {
  const joined: [number, number][] = [];
  for (const [lo, hi] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    const touches = last !== undefined && (lo <= last[1] + 1 || (startOne && lo === last[1] + 2 && lo % RUNS_PER_EXPERIMENT === 1));
    if (touches) last[1] = Math.max(last[1], hi);
    else joined.push([lo, hi]);
  }
  return joined;
}

/** What remains of a set of intervals without another set. */
export function subtractAll(iovs: readonly Iov[], without: readonly Iov[]): readonly Iov[] {
  let rest = normalise(iovs);
  for (const iov of without) rest = rest.flatMap((piece) => subtract(piece, iov));
  return rest;
}

/** Whether the set holds the whole interval. */
export function covers(iovs: readonly Iov[], iov: Iov): boolean {
  const [lo, hi] = iovToKeys(iov);
  return normaliseKeys(iovs.map(iovToKeys), false).some((range) => range[0] <= lo && hi <= range[1]);
}

/** Whether the set and the interval share a run. */
export const overlaps = (iovs: readonly Iov[], iov: Iov): boolean => iovs.some((other) => intersect(other, iov) !== null);

/**
 * Holes between intervals of one experiment. Between experiments none are reported: the last run of an experiment is not known
 * (the rule of Belle II's CAF, find_gaps_in_iov_list). With a list of runs, use runsOutside.
 */
export function gaps(iovs: readonly Iov[]): readonly Iov[] {
  const found: Iov[] = [];
  let previous: KeyRange | null = null;
  for (const range of normaliseKeys(iovs.map(iovToKeys), false)) {
    if (previous !== null && keyToRun(previous[1])[0] === keyToRun(range[0])[0]) found.push(keysToIov(previous[1] + 1, range[0] - 1));
    previous = range;
  }
  return found;
}

/** The runs that no interval holds, sorted. */
export function runsOutside(iovs: readonly Iov[], runs: Iterable<Run>): readonly Run[] {
  const ranges = normaliseKeys(iovs.map(iovToKeys), false);
  let next = 0;
  return sortRuns(runs).filter((run) => {
    const at = runKey(run);
    while ((ranges[next]?.[1] ?? FOREVER) < at) next += 1;
    return at < (ranges[next]?.[0] ?? FOREVER);
  });
}
