// With what each job of a collection begins, and after which of its attempts: what is finished, open, to be tried again, or new.
import { createHash } from 'node:crypto';
import type { JobRecord, JournalReads } from '../database/journal-records.ts';
import type { Resources } from '../domain/calibration.ts';
import type { AttemptRecord, JobKey } from '../domain/job.ts';
import type { JobInput } from '../machines/job-machine.ts';
import { argumentsOfJob, filesOfJob } from '../plan/split.ts';
import type { PlannedCalibration, PlannedCollection, PlannedFile } from './campaign-plan.ts';
import { resourcesOfJob } from './job-resources.ts';
import { retryDecision } from './judge-attempt.ts';

/**
 * A job is the same as before if its files (by size and time), what a function says of their runs, and its arguments are: what was finished with
 * others does not count.
 */
function createInputsDigest({ spec, files }: PlannedCollection): (job: number) => string {
  const digestOf = (some: readonly PlannedFile[]) => {
    const hash = createHash('sha256');
    for (const { path, size, mtimeNs, runs } of some)
      hash.update(`${JSON.stringify(path)} ${size} ${mtimeNs}${spec.runs?.by === 'function' ? ` ${JSON.stringify(runs)}` : ''}\n`);
    return hash.digest('hex').slice(0, 32);
  };
  let ofAll: string | null = null;
  return (job) => {
    const own = filesOfJob(spec.split, files, job);
    if (own !== files) return digestOf(own);
    ofAll ??= digestOf(files);
    return `${ofAll} ${JSON.stringify(argumentsOfJob(spec.split, job))}`;
  };
}

/** Attempts without an end of jobs that have other files or arguments by now, or were begun anew since: nobody wants their results. */
export function outdatedAttempts(
  { spec, collections }: PlannedCalibration,
  open: readonly AttemptRecord[],
  journal: Pick<JournalReads, 'jobs'>,
): readonly AttemptRecord[] {
  return collections.flatMap((planned) => {
    const own = open.filter(({ collection }) => collection === planned.spec.name);
    const inputsOf = createInputsDigest(planned);
    const iterations = Map.groupBy(own, ({ iteration }) => iteration);
    return [...iterations].flatMap(([iteration, attempts]) => {
      const jobs = journal.jobs(spec.name, iteration, planned.spec.name);
      return attempts.filter(({ job, attempt }) => {
        const newest = jobs.get(job);
        return newest?.attempt !== attempt || newest.inputs !== inputsOf(job);
      });
    });
  });
}

/** Jobs of the next iteration that are not done again: they have succeeded with the same files and arguments. */
export function countKept(
  { spec, collections, jobs, redo, reused, start }: PlannedCalibration,
  journal: Pick<JournalReads, 'jobs'>,
): number {
  if (redo === 'all') return 0;
  // Its collectors are over.
  if (reused || start.checkpoint !== 'init') return jobs;
  const { iteration } = start;
  return collections.reduce((sum, planned) => {
    const past = journal.jobs(spec.name, iteration, planned.spec.name);
    const inputOf = createJobInputs(planned, { calibration: spec.name, iteration }, past);
    return sum + [...past.keys()].filter((job) => job < planned.jobs && inputOf(job) === null).length;
  }, 0);
}

function pastOf({ finished, lastAttempt }: JobRecord): JobInput['past'] {
  if (finished !== null || lastAttempt === null) return { kind: 'none' };
  if (lastAttempt.outcome === null) return { kind: 'open', record: lastAttempt };
  return lastAttempt.outcome.state === 'succeeded' ? { kind: 'succeeded', record: lastAttempt } : { kind: 'none' };
}

/** What the attempt that follows a failed one may use: what was raised stays raised, and what the config has raised since counts, too. */
function resourcesAfter(last: JobRecord['lastAttempt'], asked: Resources): Resources {
  const raised = last === null || last.outcome === null ? null : (retryDecision(last.outcome, last.resources)?.resources ?? null);
  if (raised === null) return asked;
  return { ...asked, memoryBytes: Math.max(asked.memoryBytes, raised.memoryBytes), timeMs: Math.max(asked.timeMs, raised.timeMs) };
}

/** Null = it has succeeded, and is kept. `past`: of this iteration. */
export function createJobInputs(
  planned: PlannedCollection,
  { calibration, iteration }: Pick<JobKey, 'calibration' | 'iteration'>,
  past: ReadonlyMap<number, JobRecord>,
): (job: number) => JobInput | null {
  const { spec } = planned;
  const inputsOf = createInputsDigest(planned);
  return (job) => {
    const known = past.get(job);
    const inputs = inputsOf(job);
    const isSame = known?.inputs === inputs;
    if (isSame && known.finished?.state === 'succeeded') return null;
    // Given up, or with other inputs, it begins anew; otherwise it goes on as if nobody had been killed.
    const goesOn = isSame && known.finished === null;
    const asked = resourcesOfJob(planned, job);
    return {
      key: { calibration, iteration, collection: spec.name, job },
      inputs,
      past: isSame ? pastOf(known) : { kind: 'none' },
      attemptsMade: known === undefined ? 0 : known.attempt + 1,
      retries: spec.retries,
      retriesUsed: goesOn ? known.failedAttempts : 0,
      resources: goesOn ? resourcesAfter(known.lastAttempt, asked) : asked,
    };
  };
}
