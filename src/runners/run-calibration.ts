// The hands of the calibration machine: one calibration from where its rows say it is to its end.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createActor, fromPromise } from 'xstate';
import type { Admission } from '../backends/backend.ts';
import { openChain } from '../database/chain.ts';
import { writeConditionsDirectory } from '../database/flatten.ts';
import { type AlgorithmSpec, type CalibrationSpec, engineOfAlgorithms, isCommand } from '../domain/calibration.ts';
import type { ErrorText } from '../domain/event.ts';
import type { Run } from '../domain/iov.ts';
import { formatRun } from '../domain/iov.ts';
import { type CalibrationOutput, calibrationMachine, type StepOutcome } from '../machines/calibration-machine.ts';
import { diskError } from '../payloads/disk.ts';
import { objectsOf } from '../payloads/store.ts';
import { filesOfJob } from '../plan/split.ts';
import type { ChainLock } from '../worker/contract.ts';
import { parametersIn } from '../worker/parameters.ts';
import type { PlannedCalibration } from './campaign-plan.ts';
import { chainOf } from './chain-of.ts';
import { commitIteration, draftOf, publishResult } from './commit-iteration.ts';
import { algorithmResources } from './engine-algorithms-runner.ts';
import { type Hands, iterationDirectory } from './hands.ts';
import { finishedJobs, restoreJobs } from './job-archive.ts';
import { runAlgorithm } from './run-algorithm.ts';
import { type CollectionOutcome, runCollection } from './run-collection.ts';
import { fileRunsOf } from './runs-of-files.ts';
import { writeDataFile } from './write-data-file.ts';

// Names that start with a dot cannot collide with a collection's or an algorithm's.
const CHAIN_LOCK = '.chain.lock.json';
const CONDITIONS = '.conditions';

const OK: StepOutcome = { state: 'ok' };
const INTERRUPTED: StepOutcome = { state: 'interrupted' };
const failed = (error: ErrorText): StepOutcome => ({ state: 'failed', error });

export function runCalibration(hands: Hands, planned: PlannedCalibration): Promise<CalibrationOutput> {
  const { spec } = planned;
  const { output } = hands.spec;
  const iterationOf = (n: number) => iterationDirectory(output, spec.name, n);
  const collectorDirectory = (n: number) => join(iterationOf(n), 'collector');
  const algorithmsDirectory = (n: number) => join(iterationOf(n), 'algorithms');

  const prepareIteration = async (iteration: number): Promise<StepOutcome> => {
    if (hands.stop.aborted) return INTERRUPTED;
    const { lock } = chainOf(hands, spec, iteration);
    hands.journal.append({
      kind: 'iteration.started',
      calibration: spec.name,
      iteration,
      chainDigest: digestOf(lock),
      jobs: Object.fromEntries(planned.collections.map((collection) => [collection.spec.name, collection.jobs])),
    });
    hands.journal.commit();
    // An iteration that failed this way has begun, and gets its database, too.
    if (planned.noInput !== null) return failed(planned.noInput);
    for (const collection of planned.collections) mkdirSync(join(collectorDirectory(iteration), collection.spec.name), { recursive: true });
    if (planned.collections.length > 0)
      await writeChain(
        collectorDirectory(iteration),
        lock,
        spec.collections.some(({ collect }) => isCommand(collect)),
      );
    hands.emit({
      type: 'iteration.started',
      calibration: spec.name,
      iteration,
      jobs: planned.jobs,
      reused: hands.journal.jobCounts(spec.name, iteration).succeeded,
    });
    return OK;
  };

  const runCollectors = async (iteration: number): Promise<StepOutcome> => {
    if (planned.collections.length === 0) return OK;
    const directory = collectorDirectory(iteration);
    const chain = join(directory, CHAIN_LOCK);
    const conditions = join(directory, CONDITIONS);
    const outcomes = await Promise.all(
      planned.collections.map(async (collection) => {
        const run = {
          planned: collection,
          calibration: spec.name,
          iteration,
          backendOf: (job: number) => hands.backendFor(collection.sites?.[job]?.backend ?? collection.spec.backend),
          chain,
          conditions,
          parameters: parametersOf(chainOf(hands, spec, iteration).lock, fileRunsOf(collection.files)[0] ?? null),
          window: hands.backendFor(collection.spec.backend).window,
        };
        return { collection, outcome: await runCollection(hands, run, spec.quorum) };
      }),
    );
    if (outcomes.some(({ outcome }) => outcome.state === 'interrupted')) return INTERRUPTED;
    const bad = outcomes.filter(({ outcome }) => outcome.state === 'failed');
    if (bad.length > 0) return failed(jobsFailed(spec, bad));
    for (const { collection, outcome } of outcomes) {
      if (outcome.failed === 0) continue;
      const missing = outcome.failures.flatMap(({ job }) => filesOfJob(collection.spec.split, collection.files, job));
      hands.emit({
        type: 'warning',
        code: 'CAF_QUORUM',
        calibration: spec.name,
        iteration,
        message: `${spec.name}/${collection.spec.name} goes on with ${outcome.total - outcome.failed} of ${outcome.total} jobs (quorum ${spec.quorum}); missing: ${list(missing.map(({ path }) => path))}${runsText(fileRunsOf(missing))}`,
      });
    }
    return OK;
  };

  const runAlgorithms = async (iteration: number): Promise<StepOutcome> => {
    const isDone = ({ name }: AlgorithmSpec) => hands.journal.algorithm(spec.name, iteration, name)?.finalState === 'completed';
    if (spec.algorithms.every(isDone)) return OK;
    const directory = algorithmsDirectory(iteration);
    mkdirSync(directory, { recursive: true });
    const dataFile = join(directory, '.data.ndjson');
    if (!(await restoreArchived(iteration))) return INTERRUPTED;
    const missing = writeDataFile(hands, planned, iteration, dataFile);
    for (const [position, algorithm] of spec.algorithms.entries()) {
      if (isDone(algorithm)) continue;
      if (hands.stop.aborted) return INTERRUPTED;
      const draft = position === 0 ? null : await draftOf(hands, spec, iteration, spec.algorithms.slice(0, position));
      const { lock } = chainOf(hands, spec, iteration, draft);
      const own = join(directory, algorithm.name);
      mkdirSync(own, { recursive: true });
      await writeChain(own, lock, [algorithm.run, algorithm.setup, algorithm.findBoundaries].some(isCommand));
      const admission = await admitAlgorithm(hands, algorithm);
      if (hands.stop.aborted) {
        admission?.release();
        return INTERRUPTED;
      }
      const outcome = await runAlgorithm(hands, {
        calibration: spec,
        iteration,
        algorithm,
        dataFile,
        chain: join(own, CHAIN_LOCK),
        conditions: join(own, CONDITIONS),
        objects: objectsOf(output),
      }).finally(() => admission?.release());
      if (outcome.state === 'interrupted') return INTERRUPTED;
      if (outcome.state === 'failed') return failed(outcome.error ?? strategyFailed(spec, algorithm.name, outcome.results, missing));
    }
    return OK;
  };

  /** What an earlier invocation has archived is needed as files again. False when caf is to stop meanwhile. */
  const restoreArchived = async (iteration: number): Promise<boolean> => {
    for (const { spec: collection } of planned.collections) {
      const finished = finishedJobs(hands.journal.jobs(spec.name, iteration, collection.name));
      try {
        await restoreJobs(join(collectorDirectory(iteration), collection.name), finished, hands.stop);
      } catch (error) {
        if (hands.stop.aborted) return false;
        throw error;
      }
    }
    return true;
  };

  /** A step that ends with a full disk says so in the user's words. */
  const onDisk = <T>(step: Promise<T>): Promise<T> =>
    step.catch((error: unknown) => {
      throw diskError(error, `${spec.name} cannot go on`, (error as NodeJS.ErrnoException).path ?? output);
    });

  const logic = calibrationMachine.provide({
    actors: {
      prepareIteration: fromPromise(({ input }) => onDisk(prepareIteration(input.iteration))),
      runCollectors: fromPromise(({ input }) => onDisk(runCollectors(input.iteration))),
      runAlgorithms: fromPromise(({ input }) => onDisk(runAlgorithms(input.iteration))),
      commitIteration: fromPromise(async ({ input }) => {
        const outcome = await onDisk(commitIteration(hands, planned, input.iteration, input.failed));
        hands.compaction?.add(spec.name, input.iteration);
        return outcome;
      }),
      publishResult: fromPromise(({ input }) => onDisk(publishResult(hands, planned, input.iteration, input.converged))),
    },
    actions: {
      journal: (_, entry) => hands.journal.append(entry),
      tell: (_, event) => hands.emit(event),
    },
  });

  return new Promise((resolve, reject) => {
    const actor = createActor(logic, {
      input: {
        calibration: spec.name,
        maxIterations: spec.maxIterations,
        onMaxIterations: spec.onMaxIterations,
        checkpoint: planned.start.checkpoint,
        iteration: planned.start.iteration,
        reason: planned.reason,
      },
    });
    actor.subscribe({ complete: () => resolve(actor.getSnapshot().output as CalibrationOutput), error: reject });
    actor.start();
    actor.send({ type: 'calibration.begin' });
  });
}

/** A program algorithm that says what it needs takes its share of the backend's slots, as does a job of an engine; any other is free. Null also when caf is stopping. */
async function admitAlgorithm(hands: Hands, algorithm: AlgorithmSpec): Promise<Admission | null> {
  const resources = engineOfAlgorithms(algorithm.backend) === null ? algorithm.resources : algorithmResources(algorithm);
  if (resources === null) return null;
  try {
    return await hands.backendFor(algorithm.backend).admit(resources, hands.stop);
  } catch (error) {
    if (hands.stop.aborted) return null;
    throw error;
  }
}

/** Writes chain.lock.json, and for programs the chain's payloads as files. */
async function writeChain(directory: string, lock: ChainLock, forPrograms: boolean): Promise<void> {
  writeFileSync(join(directory, CHAIN_LOCK), `${JSON.stringify(lock, null, 2)}\n`);
  if (!forPrograms) return;
  const conditions = join(directory, CONDITIONS);
  if (existsSync(conditions)) rmSync(conditions, { recursive: true });
  const chain = openChain(lock);
  try {
    await writeConditionsDirectory(chain, conditions);
  } finally {
    chain.close();
  }
}

/** For the first known run. */
function parametersOf(lock: ChainLock, run: Run | null): Readonly<Record<string, unknown>> {
  if (lock.databases.length === 0) return {};
  const chain = openChain(lock);
  try {
    return parametersIn(chain, run ?? [0, 0]);
  } finally {
    chain.close();
  }
}

const digestOf = (lock: ChainLock): string =>
  createHash('sha256')
    .update(JSON.stringify(lock.databases.map(({ versionId, contentId }) => versionId ?? contentId)))
    .digest('hex');

const MAX_LISTED = 5;
const list = (items: readonly string[]): string =>
  items.length <= MAX_LISTED ? items.join(', ') : `${items.slice(0, MAX_LISTED).join(', ')} and ${items.length - MAX_LISTED} more`;
const runsText = (runs: readonly Run[]): string => (runs.length === 0 ? '' : `; runs ${list(runs.map(formatRun))}`);

function jobsFailed(
  spec: CalibrationSpec,
  bad: readonly { collection: { spec: { name: string } }; outcome: CollectionOutcome }[],
): ErrorText {
  const parts = bad.map(({ collection, outcome }) => {
    const first = outcome.failures[0];
    const why = first?.outcome.state === 'failed' ? `; job ${first.job}: ${first.outcome.detail}` : '';
    return `${outcome.failed} of ${outcome.total} jobs of ${spec.name}/${collection.spec.name} failed${why}`;
  });
  const isDiskFull = bad.some(({ outcome }) =>
    outcome.failures.some(({ outcome: how }) => how.state === 'failed' && how.cause === 'disk-full'),
  );
  if (isDiskFull)
    return { code: 'CAF_DISK_FULL', message: parts.join('; '), hint: 'make space, and type caf run again: finished jobs are kept' };
  return {
    code: 'CAF_JOB_FAILED',
    message: parts.join('; '),
    hint: 'read its log with caf logs, mend the cause, and type caf run again: finished jobs are kept',
  };
}

function strategyFailed(spec: CalibrationSpec, algorithm: string, results: Readonly<Record<string, number>>, missing: string): ErrorText {
  const told = Object.entries(results).map(([result, count]) => `${count} ${result}`);
  return {
    code: 'CAF_ALGORITHM_FAILED',
    message: `${spec.name}/${algorithm} failed: ${told.length === 0 ? 'nothing was reported' : told.join(', ')}${missing}`,
    hint: `caf status --json lists every execution; caf logs ${spec.name}`,
  };
}
