// Which runs a strategy sees: collected, inside the requested IoV, not ignored; sorted and unique.
import { contains, type Iov, type Run, runKey, sortRuns } from '../domain/iov.ts';

/** `collected` in any order, repeated as they come from the jobs; `requestedIov` null = everything. The selection may be empty. */
export function selectRuns(collected: Iterable<Run>, requestedIov: Iov | null, ignoredRuns: readonly Run[]): readonly Run[] {
  const ignored = new Set(ignoredRuns.map(runKey));
  const isSelected = (run: Run) => (requestedIov === null || contains(requestedIov, run)) && !ignored.has(runKey(run));
  return sortRuns(Iterator.from(collected).filter(isSelected));
}
