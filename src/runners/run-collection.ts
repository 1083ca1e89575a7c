// All jobs of one collection in one iteration: a window of job machines moves over the jobs that are not finished.
import { createActor } from 'xstate';
import type { AttemptOutcome } from '../domain/job.ts';
import type { JobInput, JobOutput } from '../machines/job-machine.ts';
import type { Hands } from './hands.ts';
import { createJobInputs } from './job-inputs.ts';
import { type CollectionRun, createJobLogic } from './run-job.ts';

export interface CollectionOutcome {
  readonly state: 'ok' | 'failed' | 'interrupted';
  readonly total: number;
  /** The jobs that did not succeed, at most the first hundred. */
  readonly failures: readonly { readonly job: number; readonly outcome: AttemptOutcome }[];
  readonly failed: number;
}

/** A job machine at work. */
interface JobInHand {
  /** It lives on by itself when caf ends. */
  readonly isRemote: boolean;
  /** Nobody waits for it any more. */
  leave(): void;
  cancel(): void;
}

const MAX_FAILURES_KEPT = 100;

/** Runs what is left of a collection. Finished jobs are kept, open attempts adopted, failed ones tried again. */
export async function runCollection(hands: Hands, run: CollectionRun, quorum: number): Promise<CollectionOutcome> {
  const { jobs: total, spec } = run.planned;
  // A wish that came before the listeners below does not reach them: jobs that were left at work are left.
  if (hands.stop.aborted) return { state: 'interrupted', total, failures: [], failed: 0 };
  const logic = createJobLogic(hands, run);
  const past = hands.journal.jobs(run.calibration, run.iteration, spec.name);
  const failures: { job: number; outcome: AttemptOutcome }[] = [];
  let failed = 0;
  let interrupted = false;

  // One listener for all: adding one to a signal takes as long as it has listeners.
  const inHand = new Set<JobInHand>();
  const leaveAll = () => {
    for (const job of [...inHand]) job.leave();
  };
  const leaveRemote = () => {
    for (const job of [...inHand]) if (job.isRemote) job.leave();
  };
  const cancelAll = () => {
    for (const job of [...inHand]) job.cancel();
  };
  // On a batch engine jobs live on by themselves: nobody waits for them when caf is to stop, unless they are to be cancelled.
  const leaveAtStop = () => setImmediate(() => hands.cancel.aborted || leaveRemote());
  hands.leave.addEventListener('abort', leaveAll, { once: true });
  hands.cancel.addEventListener('abort', cancelAll, { once: true });
  hands.stop.addEventListener('abort', leaveAtStop, { once: true });

  const runJob = (input: JobInput): Promise<void> =>
    new Promise((resolve, reject) => {
      const actor = createActor(logic, { input });
      const leave = () => {
        actor.stop();
        interrupted = true;
        resolve();
      };
      const { isRemote } = run.backendOf(input.key.job);
      const job: JobInHand = { isRemote, leave, cancel: () => actor.send({ type: 'job.cancel' }) };
      inHand.add(job);
      actor.subscribe({
        complete: () => {
          inHand.delete(job);
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

  const inputOf = createJobInputs(run.planned, run, past);

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
  // When a lane breaks, jobs of the others are still in hand, and the listeners stay with them.
  await Promise.all(Array.from({ length: open.length + run.window }, lane));
  hands.leave.removeEventListener('abort', leaveAll);
  hands.cancel.removeEventListener('abort', cancelAll);
  hands.stop.removeEventListener('abort', leaveAtStop);

  if (interrupted) return { state: 'interrupted', total, failures, failed };
  const state = failed === 0 || (total > 0 && (total - failed) / total >= quorum) ? 'ok' : 'failed';
  return { state, total, failures, failed };
}
