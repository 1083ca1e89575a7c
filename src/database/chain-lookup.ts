// Finds what a chain answers for a run: member by member at first, in the materialised view of the name once it has been asked often.
import { FOREVER } from '../domain/iov.ts';
import type { PayloadRow } from './content.ts';
import type { LocalDatabase } from './open.ts';
import { lastBeginning } from './resolve.ts';

/** The interval around the run on which this payload of this member stays the answer, as keys. */
export interface FoundSegment {
  readonly lo: number;
  readonly hi: number;
  readonly payload: PayloadRow;
  /** Index of the database in the chain, 0 = highest priority. */
  readonly member: number;
}

/** Walking costs a step per member, materialising about as much as this many walks through all of them. */
const WALKS = 4;

/** `materialise`: the segments of one name, disjoint and sorted; it opens every member. */
export function createLookup(
  members: number,
  database: (member: number) => LocalDatabase,
  materialise: (name: string) => readonly FoundSegment[],
): (name: string, key: number) => FoundSegment | null {
  const names = new Map<
    string,
    { steps: number; view: { readonly lo: Float64Array; readonly segments: readonly FoundSegment[] } | null }
  >();

  const walk = (name: string, key: number, step: () => void): FoundSegment | null => {
    let lo = 0;
    let hi = FOREVER;
    for (let member = 0; member < members; member++) {
      step();
      const found = locate(database(member), name, key);
      lo = Math.max(lo, found.lo);
      hi = Math.min(hi, found.hi);
      if (found.payload !== null) return { lo, hi, payload: found.payload, member };
    }
    return null;
  };

  return (name, key) => {
    let known = names.get(name);
    if (known === undefined) {
      known = { steps: 0, view: null };
      names.set(name, known);
    }
    const asked = known;
    if (asked.view === null) {
      if (members === 1 || asked.steps < WALKS * members) return walk(name, key, () => void asked.steps++);
      const segments = materialise(name);
      asked.view = { lo: Float64Array.from(segments, ({ lo }) => lo), segments };
    }
    const segment = asked.view.segments[lastBeginning(asked.view.lo, key)];
    return segment !== undefined && key <= segment.hi ? segment : null;
  };
}

/** The segment of a run, or the hole around it. */
function locate(
  database: LocalDatabase,
  name: string,
  key: number,
): { readonly lo: number; readonly hi: number; readonly payload: PayloadRow | null } {
  const view = database.view(name);
  if (view === null) return { lo: 0, hi: FOREVER, payload: null };
  const at = lastBeginning(view.lo, key);
  const hi = view.hi[at] ?? -1;
  if (at >= 0 && key <= hi) return { lo: view.lo[at] ?? 0, hi, payload: view.payloads[at] ?? null };
  return { lo: hi + 1, hi: (view.lo[at + 1] ?? FOREVER + 1) - 1, payload: null };
}
