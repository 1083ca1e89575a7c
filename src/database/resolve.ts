// From entries in commit order to the view: for every run the last entry that holds it wins. Pure.

/** Disjoint parts in order of lo; `winner` = index of the interval that owns the part. Parts of one winner that touch are one. */
export interface Parts {
  readonly length: number;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  readonly winner: Int32Array;
}

/**
 * Paints closed intervals over each other, the last on top, in O(n log n): from the last to the first, each takes the elementary
 * intervals nobody took; `next` jumps over taken ones (union-find with path halving).
 */
export function paint(lo: ArrayLike<number>, hi: ArrayLike<number>): Parts {
  const n = lo.length;
  const cuts = cutPoints(lo, hi);
  const cells = Math.max(cuts.length - 1, 0);
  const owner = new Int32Array(cells).fill(-1);
  const next = Int32Array.from({ length: cells + 1 }, (_, index) => index);
  const free = (cell: number): number => {
    let at = cell;
    for (let after = next[at] ?? cells; after !== at; after = next[at] ?? cells) {
      next[at] = next[after] ?? cells;
      at = next[at] ?? cells;
    }
    return at;
  };
  for (let index = n - 1; index >= 0; index--) {
    const end = indexOfCut(cuts, (hi[index] ?? 0) + 1);
    for (let cell = free(indexOfCut(cuts, lo[index] ?? 0)); cell < end; cell = free(cell)) {
      owner[cell] = index;
      next[cell] = cell + 1;
    }
  }
  return joinCells(cuts, owner);
}

/** All lo and hi + 1, sorted, each once. FOREVER + 1 is exact. */
function cutPoints(lo: ArrayLike<number>, hi: ArrayLike<number>): Float64Array {
  const cuts = new Float64Array(lo.length * 2);
  for (let index = 0; index < lo.length; index++) {
    cuts[2 * index] = lo[index] ?? 0;
    cuts[2 * index + 1] = (hi[index] ?? 0) + 1;
  }
  cuts.sort();
  let kept = 0;
  for (const cut of cuts) if (kept === 0 || cut !== cuts[kept - 1]) cuts[kept++] = cut;
  return cuts.subarray(0, kept);
}

function joinCells(cuts: Float64Array, owner: Int32Array): Parts {
  const lo = new Float64Array(owner.length);
  const hi = new Float64Array(owner.length);
  const winner = new Int32Array(owner.length);
  let length = 0;
  for (let cell = 0; cell < owner.length; cell++) {
    const by = owner[cell] ?? -1;
    if (by === -1) continue;
    const begin = cuts[cell] ?? 0;
    const end = (cuts[cell + 1] ?? 0) - 1;
    if (length > 0 && winner[length - 1] === by && hi[length - 1] === begin - 1) {
      hi[length - 1] = end;
    } else {
      lo[length] = begin;
      hi[length] = end;
      winner[length++] = by;
    }
  }
  return cut({ length, lo, hi, winner });
}

/** Arrays no longer than what they hold; most often they are right as they are. */
const cut = ({ length, lo, hi, winner }: Parts): Parts =>
  length === lo.length
    ? { length, lo, hi, winner }
    : { length, lo: lo.slice(0, length), hi: hi.slice(0, length), winner: winner.slice(0, length) };

/** Joins parts that touch and carry the same thing; the first part's winner is kept. */
export function coalesce(parts: Parts, sameContent: (a: number, b: number) => boolean): Parts {
  const lo = new Float64Array(parts.length);
  const hi = new Float64Array(parts.length);
  const winner = new Int32Array(parts.length);
  let length = 0;
  for (let index = 0; index < parts.length; index++) {
    const by = parts.winner[index] ?? 0;
    const begin = parts.lo[index] ?? 0;
    if (length > 0 && hi[length - 1] === begin - 1 && sameContent(winner[length - 1] ?? 0, by)) {
      hi[length - 1] = parts.hi[index] ?? 0;
    } else {
      lo[length] = begin;
      hi[length] = parts.hi[index] ?? 0;
      winner[length++] = by;
    }
  }
  return cut({ length, lo, hi, winner });
}

/** Index of the last part that begins at or before the key; -1 when all begin later. */
export function lastBeginning(lo: Float64Array, key: number): number {
  let low = 0;
  let high = lo.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lo[middle] ?? 0) <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const indexOfCut = (cuts: Float64Array, cut: number): number => lastBeginning(cuts, cut);
