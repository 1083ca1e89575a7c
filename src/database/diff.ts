// What differs between two views, by interval and not by row. Pure, linear in the number of segments.
import { FOREVER, type Iov, keysToIov } from '../domain/iov.ts';
import type { NameView } from './content.ts';
import { compareNames } from './identity.ts';

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
export function diffViews(a: Views, b: Views): readonly Change[] {
  const names = [...new Set([...a.names(), ...b.names()])].sort(compareNames);
  return names.flatMap((name) => diffName(name, a.view(name), b.view(name)));
}

function diffName(name: string, a: NameView | null, b: NameView | null): readonly Change[] {
  const changes: { lo: number; hi: number; from: string | null; to: string | null }[] = [];
  const left = cursor(a);
  const right = cursor(b);
  for (let lo = 0; lo <= FOREVER; ) {
    const from = left(lo);
    const to = right(lo);
    const hi = Math.min(from.until, to.until);
    if (from.sha256 !== to.sha256) {
      const last = changes.at(-1);
      if (last !== undefined && last.hi === lo - 1 && last.from === from.sha256 && last.to === to.sha256) last.hi = hi;
      else changes.push({ lo, hi, from: from.sha256, to: to.sha256 });
    }
    lo = hi + 1;
  }
  return changes.map(({ lo, hi, from, to }) => ({ name, iov: keysToIov(lo, hi), from, to }));
}

/** What holds at a key and until where; keys must be asked in rising order. */
function cursor(view: NameView | null): (key: number) => { readonly sha256: string | null; readonly until: number } {
  let at = 0;
  return (key) => {
    while (view !== null && key > (view.hi[at] ?? FOREVER)) at += 1;
    const lo = view?.lo[at];
    if (view === null || lo === undefined) return { sha256: null, until: FOREVER };
    if (key < lo) return { sha256: null, until: lo - 1 };
    return { sha256: view.payloads[at]?.sha256 ?? null, until: view.hi[at] ?? FOREVER };
  };
}
