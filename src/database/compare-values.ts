// What differs inside two JSON values: each place with both sides, and for numbers by how much, absolute and relative. Pure.

export interface ValueDifference {
  /** `mean[3].x`; empty for the value itself. */
  readonly path: string;
  /** Undefined where that side has nothing. */
  readonly from?: unknown;
  readonly to?: unknown;
  /** to - from; null unless both are numbers. */
  readonly change: number | null;
  /** change / |from|; null when from is 0 or either is no number. */
  readonly relative: number | null;
}

export interface ValueComparison {
  /** Places (numbers, texts, booleans, nulls) on either side. */
  readonly compared: number;
  /** In the order of the value. */
  readonly differences: readonly ValueDifference[];
  /** The number with the largest relative change, or the largest absolute one where no relative one exists; null when no number changed. */
  readonly largest: ValueDifference | null;
}

export function compareValues(from: unknown, to: unknown): ValueComparison {
  const differences: ValueDifference[] = [];
  const compared = walk('', from, to, differences);
  return { compared, differences, largest: largestOf(differences) };
}

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns how many places it compared. */
function walk(path: string, from: unknown, to: unknown, differences: ValueDifference[]): number {
  if (Array.isArray(from) && Array.isArray(to)) {
    let places = 0;
    for (let index = 0; index < Math.max(from.length, to.length); index += 1) {
      places += walk(`${path}[${index}]`, from[index], to[index], differences);
    }
    return places;
  }
  if (isObject(from) && isObject(to)) {
    let places = 0;
    for (const key of [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()) {
      const step = IDENTIFIER.test(key) ? (path === '' ? key : `.${key}`) : `[${JSON.stringify(key)}]`;
      places += walk(path + step, own(from, key), own(to, key), differences);
    }
    return places;
  }
  if (from !== to) differences.push(difference(path, from, to));
  return 1;
}

const own = (value: Readonly<Record<string, unknown>>, key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);

function difference(path: string, from: unknown, to: unknown): ValueDifference {
  const sides = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  if (typeof from !== 'number' || typeof to !== 'number') return { path, ...sides, change: null, relative: null };
  const change = to - from;
  return { path, ...sides, change, relative: from === 0 ? null : change / Math.abs(from) };
}

function largestOf(differences: readonly ValueDifference[]): ValueDifference | null {
  const size = ({ change, relative }: ValueDifference): readonly [number, number] => [Math.abs(relative ?? 0), Math.abs(change ?? 0)];
  let largest: ValueDifference | null = null;
  for (const one of differences) {
    if (one.change === null) continue;
    if (largest === null) largest = one;
    else {
      const [[relative, change], [most, widest]] = [size(one), size(largest)];
      if (relative > most || (relative === most && change > widest)) largest = one;
    }
  }
  return largest;
}
