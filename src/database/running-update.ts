// The update of a running database: append-only, from a first valid run on, with the preconditions and modes of Belle II. Pure.
// https://software.belle2.org (b2conditionsdb tag runningupdate)
import { FOREVER, formatIov, type Iov, keysToIov, type Run, runKey } from '../domain/iov.ts';
import { compareNames } from './identity.ts';
import { byName, type Held } from './sweep.ts';

export const UPDATE_MODES = ['strict', 'allow-closed', 'fix-closed', 'simple', 'full-replacement'] as const;
/**
 * strict: staging is open-ended. allow-closed: it may end. fix-closed: what ends is opened. simple: one payload per name, valid
 * always. full-replacement: as allow-closed, and what is open in the running database but not in staging is closed.
 */
export type UpdateMode = (typeof UPDATE_MODES)[number];

export interface UpdateProblem {
  readonly of: 'running' | 'staging';
  readonly name: string;
  readonly iov: Iov;
  readonly problem: string;
}

export interface UpdateOperation {
  /** `close`: an open interval of the running database now ends (or goes on to a later end). */
  readonly operation: 'close' | 'create';
  readonly name: string;
  readonly sha256: string;
  /** As it is after the update. */
  readonly iov: Iov;
}

export interface RunningUpdate<T> {
  /** All of them at once; when there are any, there is no update. */
  readonly problems: readonly UpdateProblem[];
  readonly operations: readonly UpdateOperation[];
  /** The running database after the update, sorted by name, then start. */
  readonly segments: readonly T[];
}

/** `running`: its view. `staging`: its entries, for overlaps are an error there. Both in any order. */
export function planRunningUpdate<T extends Held>(
  running: readonly T[],
  staging: readonly T[],
  firstRun: Run,
  mode: UpdateMode,
): RunningUpdate<T> {
  const from = runKey(firstRun);
  const staged = byName([...staging].sort((a, b) => compareNames(a.name, b.name) || a.lo - b.lo || a.hi - b.hi));
  const problems = [
    ...checkRunning(running, from),
    ...[...staged.values()].flatMap((entries) => (mode === 'simple' ? checkSimple(entries) : checkStaging(entries, from, mode))),
  ];
  if (problems.length > 0) return { problems, operations: [], segments: [] };

  const after: T[] = [];
  const closed: UpdateOperation[] = [];
  const created: UpdateOperation[] = [];
  const kept = new Map<string, T[]>();
  for (const [name, entries] of staged) {
    const fixed =
      mode === 'fix-closed' ? entries.map((entry, at) => (at === entries.length - 1 ? { ...entry, hi: FOREVER } : entry)) : entries;
    kept.set(
      name,
      fixed.flatMap((entry) => (entry.hi < from ? [] : [{ ...entry, lo: Math.max(entry.lo, from) }])),
    );
  }
  for (const segment of running) {
    const next = kept.get(segment.name);
    if (segment.hi !== FOREVER || (next === undefined && mode !== 'full-replacement')) {
      after.push(segment);
      continue;
    }
    // What holds now holds until the first staged payload begins; if that is the same payload, until this one ends.
    const first = next?.[0];
    const goesOn = first !== undefined && first.payload.sha256 === segment.payload.sha256;
    if (goesOn) next?.shift();
    const hi = goesOn ? first.hi : (first?.lo ?? from) - 1;
    after.push({ ...segment, hi });
    if (hi !== FOREVER) closed.push(operation('close', { ...segment, hi }));
  }
  for (const entries of kept.values()) {
    for (const entry of entries) {
      after.push(entry);
      created.push(operation('create', entry));
    }
  }
  const segments = after.sort((a, b) => compareNames(a.name, b.name) || a.lo - b.lo);
  return { problems: [], operations: [...closed, ...created], segments };
}

const operation = (kind: UpdateOperation['operation'], { name, payload, lo, hi }: Held): UpdateOperation => ({
  operation: kind,
  name,
  sha256: payload.sha256,
  iov: keysToIov(lo, hi),
});

/** Everything in the running database begins before the first valid run, and ends before it or is open. */
function checkRunning(running: readonly Held[], from: number): readonly UpdateProblem[] {
  return running.flatMap(({ name, lo, hi }): readonly UpdateProblem[] => {
    const problem =
      lo >= from ? 'begins at or after the first valid run' : hi !== FOREVER && hi >= from ? 'ends at or after the first valid run' : null;
    return problem === null ? [] : [{ of: 'running', name, iov: keysToIov(lo, hi), problem }];
  });
}

function checkSimple(entries: readonly Held[]): readonly UpdateProblem[] {
  return entries.flatMap(({ name, lo, hi }, at): readonly UpdateProblem[] => {
    const iov = keysToIov(lo, hi);
    const several = at === 0 ? [] : [{ of: 'staging' as const, name, iov, problem: 'is not the only one of its name' }];
    const always = lo === 0 && hi === FOREVER;
    return [...several, ...(always ? [] : [{ of: 'staging' as const, name, iov, problem: 'is not valid always (0,0,-1,-1)' }])];
  });
}

/** Without overlaps and gaps, open-ended unless the mode says otherwise; begins at 0,0 or at the first valid run or later. */
function checkStaging(entries: readonly Held[], from: number, mode: UpdateMode): readonly UpdateProblem[] {
  const problems: UpdateProblem[] = [];
  const report = ({ name, lo, hi }: Held, problem: string) => problems.push({ of: 'staging', name, iov: keysToIov(lo, hi), problem });
  let end = -1;
  for (const [at, entry] of entries.entries()) {
    if (at > 0 && entry.lo <= end) report(entry, 'overlaps the one before');
    if (at > 0 && entry.lo > end + 1) report(entry, `leaves a gap before it: ${formatIov(keysToIov(end + 1, entry.lo - 1))}`);
    end = Math.max(end, entry.hi);
  }
  const early = entries.find(({ lo }) => lo !== 0 && lo < from);
  if (early !== undefined) report(early, 'begins before the first valid run, but not at 0,0');
  const last = entries.at(-1);
  if (last !== undefined && end !== FOREVER && mode === 'strict') report(last, 'is closed: it does not go on for ever');
  return problems;
}

export const describeProblem = ({ of, name, iov, problem }: UpdateProblem): string => `${of}: ${name} ${formatIov(iov)} ${problem}`;
