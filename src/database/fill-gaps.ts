// Two repairs by hand: holes between intervals filled from the left, and the last payload of a name issued again. Pure.
import { FOREVER, type Iov, iovToKeys } from '../domain/iov.ts';
import { addJoined, byName, type Held } from './sweep.ts';

/**
 * Whatever does not end right before the next of its name begins is extended to there; `openLast`: the last one for ever. The rule
 * of Belle II's b2cal-fill-gaps-local: before run 0 of an experiment lies the end of the experiment before.
 */
export function fillGaps<T extends Held>(
  segments: readonly T[],
  options: { readonly openLast: boolean; readonly name?: string },
): readonly T[] {
  return [...byName(segments)].flatMap(([name, own]) => {
    if (options.name !== undefined && options.name !== name) return own;
    const filled: T[] = [];
    for (const [at, segment] of own.entries()) {
      const next = own[at + 1];
      const hi = next !== undefined ? next.lo - 1 : options.openLast ? FOREVER : segment.hi;
      addJoined(filled, { ...segment, hi }, (a, b) => a.payload.sha256 === b.payload.sha256);
    }
    return filled;
  });
}

/** The payload that ends last, on another interval too, over whatever holds there. Null when the name holds nothing. */
export function extendLast<T extends Held>(segments: readonly T[], name: string, iov: Iov): readonly T[] | null {
  const last = segments.filter((segment) => segment.name === name).at(-1);
  if (last === undefined) return null;
  const [lo, hi] = iovToKeys(iov);
  const around = segments.flatMap((segment) => {
    if (segment.name !== name || segment.hi < lo || segment.lo > hi) return [segment];
    const before = segment.lo < lo ? [{ ...segment, hi: lo - 1 }] : [];
    const after = segment.hi > hi ? [{ ...segment, lo: hi + 1 }] : [];
    return [...before, ...after];
  });
  const at = around.findIndex((segment) => segment.name === name && segment.lo > hi);
  const end = around.findLastIndex((segment) => segment.name === name) + 1;
  const place = at !== -1 ? at : end !== 0 ? end : around.findIndex((segment) => segment.name > name);
  const joined: T[] = [];
  for (const segment of around.toSpliced(place === -1 ? around.length : place, 0, { ...last, lo, hi })) {
    addJoined(joined, segment, (a, b) => a.payload.sha256 === b.payload.sha256);
  }
  return joined;
}
