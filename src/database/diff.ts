// What differs between two views, by interval and not by row. Pure, linear in the number of segments.
import { type Iov, keysToIov } from '../domain/iov.ts';
import type { NameView } from './content.ts';
import { compareNames } from './identity.ts';
import { byName, type Held, sweep } from './sweep.ts';

export interface Change {
  readonly name: string;
  readonly iov: Iov;
  /** SHA-256; null = no payload there. */
  readonly from: string | null;
  readonly to: string | null;
}

interface Views {
  names(): readonly string[];
  view(name: string): NameView | null;
}

/** Changes sorted by name, then start; neighbours with the same from and to are one. */
export const diffViews = (a: Views, b: Views): readonly Change[] => diffSegments([...segmentsIn(a)], [...segmentsIn(b)]);

/** Each list is disjoint and sorted by lo within a name. */
export function diffSegments(a: readonly Held[], b: readonly Held[]): readonly Change[] {
  const [left, right] = [byName(a), byName(b)];
  const names = [...new Set([...left.keys(), ...right.keys()])].sort(compareNames);
  return names.flatMap((name) => diffName(name, left.get(name) ?? [], right.get(name) ?? []));
}

function diffName(name: string, a: readonly Held[], b: readonly Held[]): readonly Change[] {
  const changes: { lo: number; hi: number; from: string | null; to: string | null }[] = [];
  for (const { lo, hi, held } of sweep([a, b])) {
    const [from = null, to = null] = held.map((one) => one?.payload.sha256 ?? null);
    if (from === to) continue;
    const last = changes.at(-1);
    if (last !== undefined && last.hi === lo - 1 && last.from === from && last.to === to) last.hi = hi;
    else changes.push({ lo, hi, from, to });
  }
  return changes.map(({ lo, hi, from, to }) => ({ name, iov: keysToIov(lo, hi), from, to }));
}

function* segmentsIn(views: Views): Generator<Held> {
  for (const name of views.names()) {
    const view = views.view(name);
    for (const [at, payload] of (view?.payloads ?? []).entries()) yield { name, lo: view?.lo[at] ?? 0, hi: view?.hi[at] ?? 0, payload };
  }
}
