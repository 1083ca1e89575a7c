// Several views of one name side by side: the elementary intervals on which none of them changes. Pure, linear.
import { FOREVER } from '../domain/iov.ts';

/** What holds on an interval; of one name, disjoint and sorted by lo. */
export interface Held {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  readonly payload: { readonly sha256: string };
}

/** One elementary interval: what each view holds there, null for nothing. */
export interface Cell<T> {
  readonly lo: number;
  readonly hi: number;
  readonly held: readonly (T | null)[];
}

/** From 0 to FOREVER without holes; also intervals on which no view holds anything. */
export function* sweep<T extends Held>(views: readonly (readonly T[])[]): Generator<Cell<T>> {
  const next = views.map(() => 0);
  for (let lo = 0; lo <= FOREVER; ) {
    let hi = FOREVER;
    const held = views.map((view, index) => {
      let at = next[index] ?? 0;
      while ((view[at]?.hi ?? FOREVER) < lo) at += 1;
      next[index] = at;
      const one = view[at];
      if (one === undefined) return null;
      if (lo < one.lo) {
        hi = Math.min(hi, one.lo - 1);
        return null;
      }
      hi = Math.min(hi, one.hi);
      return one;
    });
    yield { lo, hi, held };
    lo = hi + 1;
  }
}

/** By name, each sorted by lo: segments come so from a materialised chain. */
export const byName = <T extends Held>(segments: readonly T[]): ReadonlyMap<string, readonly T[]> =>
  Map.groupBy(segments, ({ name }) => name);

/** Adds a part to what was collected so far, joined to the one before when it is the same thing going on. */
export function addJoined<T extends Held>(parts: T[], part: T, isSame: (a: T, b: T) => boolean): void {
  const last = parts.at(-1);
  if (last !== undefined && last.name === part.name && last.hi === part.lo - 1 && isSame(last, part))
    parts[parts.length - 1] = { ...last, hi: part.hi };
  else parts.push(part);
}
