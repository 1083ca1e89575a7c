// Three-way merge of views: where both sides differ from their base and from each other, somebody must decide. Pure.
import { type Iov, keysToIov } from '../domain/iov.ts';
import { compareNames } from './identity.ts';
import { addJoined, byName, type Held, sweep } from './sweep.ts';

export interface Conflict {
  readonly name: string;
  readonly iov: Iov;
  /** SHA-256; null = no payload: absent is a value like any other. */
  readonly base: string | null;
  readonly ours: string | null;
  readonly theirs: string | null;
}

export type Side = 'ours' | 'theirs' | 'base';

/** A conflict with what each side holds, for who must decide. */
export interface Dispute<T> {
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  readonly base: T | null;
  readonly ours: T | null;
  readonly theirs: T | null;
}

/** `none`: no payload there. Null: cannot decide. */
export type Decision = Side | 'none' | null;

export interface Merged<T> {
  /** Sorted by name, then start; disjoint. */
  readonly segments: readonly T[];
  /** What nobody decided, neighbours with the same three values joined. */
  readonly conflicts: readonly Conflict[];
}

/** Equal sides: that. One side as the base: the other. Else `decide`. Each list is sorted by name, then start, and disjoint per name. */
export function mergeViews<T extends Held>(
  base: readonly T[],
  ours: readonly T[],
  theirs: readonly T[],
  decide: (dispute: Dispute<T>) => Decision,
): Merged<T> {
  const views = [base, ours, theirs].map(byName);
  const names = [...new Set(views.flatMap((view) => [...view.keys()]))].sort(compareNames);
  const segments: T[] = [];
  const conflicts: (Conflict & { readonly lo: number; readonly hi: number })[] = [];
  for (const name of names) {
    for (const { lo, hi, held } of sweep(views.map((view) => view.get(name) ?? []))) {
      const [b = null, o = null, t = null] = held;
      const [base, ours, theirs] = [idOf(b), idOf(o), idOf(t)];
      let taken: T | null;
      if (ours === theirs || theirs === base) taken = o;
      else if (ours === base) taken = t;
      else {
        const decision = decide({ name, lo, hi, base: b, ours: o, theirs: t });
        if (decision === null) {
          const last = conflicts.at(-1);
          const goesOn = last?.name === name && last.hi === lo - 1 && last.base === base && last.ours === ours && last.theirs === theirs;
          if (goesOn) conflicts[conflicts.length - 1] = { ...last, hi, iov: keysToIov(last.lo, hi) };
          else conflicts.push({ name, lo, hi, iov: keysToIov(lo, hi), base, ours, theirs });
          continue;
        }
        taken = decision === 'ours' ? o : decision === 'theirs' ? t : decision === 'base' ? b : null;
      }
      if (taken !== null) addJoined(segments, { ...taken, lo, hi }, (a, c) => a.payload === c.payload);
    }
  }
  return {
    segments,
    conflicts: conflicts.map(({ name, iov, base, ours, theirs }) => ({ name, iov, base, ours, theirs })),
  };
}

const idOf = (held: Held | null): string | null => held?.payload.sha256 ?? null;
