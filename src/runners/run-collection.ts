// All jobs of one collection in one iteration: a window of job machines moves over the jobs that are not finished.
import { createHash } from 'node:crypto';
import { createActor } from 'xstate';
import type { JobRecord } from '../database/journal-records.ts';
import type { Resources } from '../domain/calibration.ts';
import type { AttemptOutcome, JobKey } from '../domain/job.ts';
import type { JobInput, JobOutput } from '../machines/job-machine.ts';
import { argumentsOfJob, filesOfJob } from '../plan/split.ts';
import type { PlannedCollection, PlannedFile } from './campaign-plan.ts';
import type { Hands } from './hands.ts';
import { retryDecision } from './judge-attempt.ts';
import { type CollectionRun, createJobLogic } from './run-job.ts';

export interface CollectionOutcome {
  readonly state: 'ok' | 'failed' | 'interrupted';
  readonly total: number;
  /** The jobs that did not succeed, at most the first hundred. */
  readonly failures: readonly { readonly job: number; readonly outcome: AttemptOutcome }[];
  readonly failed: number;
}

const MAX_FAILURES_KEPT = 100;

/** A job is the same as before if its files (by size and time) and arguments are: what was finished with others does not count. */
function createInputsDigest({ spec, files }: PlannedCollection): (job: number) => string {
  const digestOf = (some: readonly PlannedFile[]) => {
    const hash = createHash('sha256');
    for (const { path, size, mtimeNs } of some) hash.update(`${JSON.stringify(path)} ${size} ${mtimeNs}\n`);
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

function pastOf({ finished, lastAttempt }: JobRecord): JobInput['past'] {
  if (finished !== null || lastAttempt === null) return { kind: 'none' };
  if (lastAttempt.outcome === null) return { kind: 'open', record: lastAttempt };
  return lastAttempt.outcome.state === 'succeeded' ? { kind: 'succeeded', record: lastAttempt } : { kind: 'none' };
}

/** What the attempt that follows may use; null = what the job asks for. */
const resourcesAfter = (last: JobRecord['lastAttempt']): Resources | null =>
  last === null || last.outcome === null ? null : (retryDecision(last.outcome, last.resources)?.resources ?? null);

/** Runs what is left of a collection. Finished jobs are kept, open attempts adopted, failed ones tried again. */
export async function runCollection(hands: Hands, run: CollectionRun, quorum: number): Promise<CollectionOutcome> {
  const { jobs: total, spec } = run.planned;
  const logic = createJobLogic(hands, run);
  const past = hands.journal.jobs(run.calibration, run.iteration, spec.name);
  const failures: { job: number; outcome: AttemptOutcome }[] = [];
  let failed = 0;
  let interrupted = false;

  const runJob = (input: JobInput): Promise<void> =>
    new Promise((resolve, reject) => {
      const actor = createActor(logic, { input });
      const leave = () => {
        actor.stop();
        interrupted = true;
        resolve();
      };
      const cancel = () => actor.send({ type: 'job.cancel' });
      // On a batch engine jobs live on by themselves: nobody waits for them when caf is to stop, unless they are to be cancelled.
      const leaveAtStop = () => setImmediate(() => hands.cancel.aborted || leave());
      hands.leave.addEventListener('abort', leave, { once: true });
      hands.cancel.addEventListener('abort', cancel, { once: true });
      if (run.backend.isRemote) hands.stop.addEventListener('abort', leaveAtStop, { once: true });
      actor.subscribe({
        complete: () => {
          hands.leave.removeEventListener('abort', leave);
          hands.cancel.removeEventListener('abort', cancel);
          hands.stop.removeEventListener('abort', leaveAtStop);
          // stop() completes too, without an output.
          if (actor.getSnapshot().status !== 'done') return;
          const { key, outcome } = actor.getSnapshot().output as JobOutput;
          if (outcome.state === 'cancelled') interrupted = true;
          if (outcome.state === 'failed') {
            failed += 1;
            if (failures.length < MAX_FAILURES_KEPT) failures.push({ job: key.job, outcome });
          }
          resolve();
        },
        error: reject,
      });
      actor.start();
      actor.send({ type: 'job.begin' });
    });

  const inputsOf = createInputsDigest(run.planned);
  const inputOf = (job: number): JobInput | null => {
    const key: JobKey = { calibration: run.calibration, iteration: run.iteration, collection: spec.name, job };
    const known = past.get(job);
    const inputs = inputsOf(job);
    const isSame = known?.inputs === inputs;
    if (isSame && known.finished?.state === 'succeeded') return null;
    // Given up, or with other inputs, it begins anew; otherwise it goes on as if nobody had been killed.
    const goesOn = isSame && known.finished === null;
    return {
      key,
      inputs,
      past: isSame ? pastOf(known) : { kind: 'none' },
      attemptsMade: known === undefined ? 0 : known.attempt + 1,
      retries: spec.retries,
      retriesUsed: goesOn ? known.failedAttempts : 0,
      resources: (goesOn ? resourcesAfter(known.lastAttempt) : null) ?? spec.resources,
    };
  };

  // Open attempts first: they hold slots already.
  const open = [...past.entries()]
    .filter(([, known]) => known.finished === null && known.lastAttempt !== null && known.lastAttempt.outcome === null)
    .map(([job]) => job);
  const isOpen = new Set(open);
  function* jobsToDo(): Generator<JobInput> {
    for (const job of open) {
      const input = inputOf(job);
      if (input !== null) yield input;
    }
    for (let job = 0; job < total; job += 1) {
      if (isOpen.has(job)) continue;
      const input = inputOf(job);
      if (input !== null) yield input;
    }
  }

  // The lanes share one generator; a lane that stops closes it for all.
  const todo = jobsToDo();
  const lane = async (): Promise<void> => {
    for (const input of todo) {
      if (hands.stop.aborted && input.past.kind === 'none') {
        interrupted = true;
        return;
      }
      await runJob(input);
    }
  };
  await Promise.all(Array.from({ length: open.length + run.window }, lane));

  if (interrupted) return { state: 'interrupted', total, failures, failed };
  const state = failed === 0 || (total > 0 && (total - failed) / total >= quorum) ? 'ok' : 'failed';
  return { state, total, failures, failed };
}
