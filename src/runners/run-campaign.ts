// The hands of the campaign machine: starts calibrations whose ancestors are complete, and ends in good order.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createActor } from 'xstate';
import { removeSpool } from '../backends/batch-spool.ts';
import { spoolOf } from '../backends/engines.ts';
import type { Journal } from '../database/journal.ts';
import { journalFiles } from '../database/journal-open.ts';
import { createSeenJobs } from '../database/seen-jobs.ts';
import type { AlgorithmsRunner } from '../domain/algorithms-runner.ts';
import { type BackendSpec, type CampaignSpec, engineOfAlgorithms } from '../domain/calibration.ts';
import type { CafEvent, Emit } from '../domain/event.ts';
import { type AttemptRecord, isEngineJob } from '../domain/job.ts';
import type { StopWish } from '../domain/stop-wish.ts';
import { actorHere } from '../host/actor.ts';
import { compileCacheDirectory } from '../host/compile-cache.ts';
import { type CampaignOutput, campaignMachine } from '../machines/campaign-machine.ts';
import { syncPaths } from '../payloads/disk.ts';
import { objectsOf, removeHalfStored } from '../payloads/store.ts';
import { type AlgorithmAttempt, executionsOf, leftAttempts, noteOver, readEngineJob } from './algorithm-attempts.ts';
import { createBackends } from './backends.ts';
import type { CampaignPlan, PlannedCalibration } from './campaign-plan.ts';
import { createCompaction } from './compaction.ts';
import { algorithmResources, createEngineAlgorithmsRunner } from './engine-algorithms-runner.ts';
import { createForkedAlgorithmsRunner } from './forked-algorithms-runner.ts';
import { type Hands, iterationDirectory } from './hands.ts';
import { outdatedAttempts } from './job-inputs.ts';
import { asLeft, endAttempts, endStrategyChildren } from './leftover-jobs.ts';
import { runCalibration } from './run-calibration.ts';
import { createSchedule } from './schedule.ts';
import { tidyDirectory } from './tidy-directory.ts';

export interface CampaignRequest {
  readonly spec: CampaignSpec;
  readonly plan: CampaignPlan;
  readonly journal: Journal;
  readonly emit: Emit;
  readonly version: string;
  /** Finished jobs of committed iterations are archived, also those of earlier invocations. */
  readonly compact: boolean;
  /** Entries of the children: bundles beside the program, or sources under test. */
  readonly children: { readonly collector: URL; readonly strategy: URL; readonly algorithmJob: URL; readonly launcher: URL };
  /** Registers what a wish to stop does; returns how to unregister. Called once. */
  readonly onStop: (stop: (wish: StopWish) => void) => () => void;
  readonly algorithmsRunner?: AlgorithmsRunner;
}

/** As a collection has by default. */
const ALGORITHM_RETRIES = 2;

/** Runs the plan to its end. Everything finished is in the journal whatever happens. */
export async function runCampaign(request: CampaignRequest): Promise<CampaignOutput> {
  const { spec, plan, journal } = request;
  const seenJobs = createSeenJobs(spec.output);
  const emit: Emit = (event) => {
    if (event.type === 'jobs.seen') seenJobs.note(event);
    request.emit(event);
  };
  const began = process.hrtime.bigint();
  const stop = new AbortController();
  const leave = new AbortController();
  const cancel = new AbortController();
  const backends = createBackends({
    output: spec.output,
    backends: spec.calibrations.map(({ backend }) => backend),
    children: request.children,
    emit,
    makeDurable: (paths) => {
      journal.commit();
      return syncPaths([...journalFiles(spec.output), ...paths]);
    },
  });
  const compileCache = compileCacheDirectory(process.env);
  const hands: Hands = {
    spec,
    plan,
    journal,
    emit,
    algorithmsRunner: request.algorithmsRunner ?? createForkedAlgorithmsRunner({ childUrl: request.children.strategy, compileCache }),
    engineRunnerFor(algorithm) {
      const engine = engineOfAlgorithms(algorithm.backend);
      if (engine === null) return null;
      return createEngineAlgorithmsRunner({
        backend: backends.for(engine),
        entry: { job: [process.execPath, fileURLToPath(request.children.algorithmJob)], child: fileURLToPath(request.children.strategy) },
        resources: algorithmResources(algorithm),
        retries: ALGORITHM_RETRIES,
        cancel: cancel.signal,
        settleMs: engine.settleMs,
        compileCache,
      });
    },
    actor: actorHere(),
    stop: stop.signal,
    leave: leave.signal,
    cancel: cancel.signal,
    compaction: request.compact ? createCompaction({ output: spec.output, journal, emit, stop: stop.signal }) : null,
    running: new Set(),
    backendFor: backends.for,
  };

  const planned = plan.calibrations.filter(({ reused }) => !reused);
  // Of those that are reused, too: their row says that this campaign holds them.
  await endUnwanted(hands, planned);
  for (const calibration of plan.calibrations) writePlan(hands, calibration);
  // Rows first: a directory without rows is made again, rows without a directory would be believed.
  journal.commit();
  removeHalfStored(objectsOf(spec.output));
  for (const { spec: calibration } of planned) tidyDirectory(join(spec.output, calibration.name), calibration.name, journal);
  emit(startedEvent(request));
  for (const { spec: calibration, reused, payloads, iterations } of plan.calibrations)
    if (reused) emit({ type: 'calibration.reused', calibration: calibration.name, iterations, payloads });
  compactEarlier(hands);

  const schedule = createSchedule(
    planned.map(({ spec: { name, dependsOn } }) => ({ name, dependsOn })),
    spec.maxParallelCalibrations,
  );
  const end = { payloads: plan.calibrations.reduce((sum, { reused, payloads }) => sum + (reused ? payloads : 0), 0) };

  const ended = new Promise<CampaignOutput>((resolve, reject) => {
    const actor = createActor(
      campaignMachine.provide({
        actions: {
          startReady: () => {
            for (const name of schedule.takeReady()) void runOne(plan.calibration(name));
          },
          stopStarting: (_, { jobs }) => {
            stop.abort();
            if (jobs === 'leave') leave.abort();
          },
          cancelAll: () => cancel.abort(),
          journal: (_, entry) => journal.append(entry),
          tell: (_, event) => emit(event),
        },
      }),
      { input: { toDo: planned.length } },
    );

    const runOne = async (calibration: PlannedCalibration): Promise<void> => {
      const { name } = calibration.spec;
      const startedAt = process.hrtime.bigint();
      actor.send({ type: 'calibration.started' });
      emit({ type: 'calibration.started', calibration: name, reason: calibration.reason, iteration: calibration.start.iteration });
      try {
        const result = await runCalibration(hands, calibration);
        const seconds = secondsSince(startedAt);
        if (result.state === 'completed') {
          end.payloads += result.payloads;
          emit({
            type: 'calibration.completed',
            calibration: name,
            iterations: result.iterations,
            converged: result.converged,
            payloads: result.payloads,
            seconds,
          });
          if (!result.converged) emit(notConvergedWarning(spec.output, calibration, result.iterations - 1));
        } else if (result.state === 'failed') {
          emit({
            type: 'calibration.failed',
            calibration: name,
            state: 'failed',
            error: result.error ?? { code: 'CAF_INTERNAL', message: 'it failed without a reason' },
            seconds,
          });
        }
        const blocked = result.state === 'failed' ? schedule.fail(name) : [];
        if (result.state === 'completed') schedule.complete(name);
        for (const { name: descendant, by } of blocked) block(hands, descendant, by);
        actor.send({ type: 'calibration.ended', state: result.state, blocked: blocked.length });
      } catch (error) {
        reject(error);
      }
    };

    const unregister = request.onStop((wish) => actor.send({ type: 'campaign.stop', wish, runningJobs: hands.running.size }));
    actor.subscribe({
      complete: () => {
        unregister();
        resolve(actor.getSnapshot().output as CampaignOutput);
      },
      error: (error) => {
        unregister();
        reject(error);
      },
    });
    actor.start();
    actor.send({ type: 'campaign.begin' });
  });
  const output = await settle(ended, hands, stop).finally(backends.close);
  removeArrays(hands);

  journal.append({ kind: 'invocation.ended', outcome: output.outcome });
  journal.commit();
  emit({
    type: 'campaign.ended',
    outcome: output.outcome,
    completed: output.completed,
    failed: output.failed,
    blocked: output.blocked,
    notStarted: output.notStarted,
    payloads: end.payloads,
    seconds: secondsSince(began),
    ...(output.wish === null ? {} : { signal: output.wish.signal, jobsLeft: hands.running.size }),
    ...(output.wish?.by === undefined ? {} : { by: output.wish.by }),
  });
  return output;
}

/** Archives are finished first. When something is broken, nothing more is begun. */
async function settle(ended: Promise<CampaignOutput>, { compaction }: Hands, stop: AbortController): Promise<CampaignOutput> {
  try {
    return await ended;
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    await compaction?.settled();
  }
}

/** Iterations that were committed by an earlier invocation, or whose archives it did not finish. */
function compactEarlier({ plan, compaction }: Hands): void {
  if (compaction === null) return;
  for (const { spec, reused, redo, start, iterations } of plan.calibrations) {
    const past = reused ? iterations : redo === 'nothing' ? start.iteration : 0;
    for (let iteration = 0; iteration < past; iteration += 1) compaction.add(spec.name, iteration);
  }
}

const secondsSince = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e9;

/** What array jobs needed, once none of them can be at work any more. */
function removeArrays({ journal, spec }: Hands): void {
  const left = spec.calibrations.flatMap(({ name }) => leftAttempts(spec.output, name));
  if (journal.unfinishedAttempts().length === 0 && left.length === 0) removeSpool(spoolOf(spec.output));
}

/** True for what works in another place than where its calibration runs by now: it cannot be adopted there. */
const isElsewhere = ({ handle }: AttemptRecord, { kind }: BackendSpec): boolean =>
  handle !== null && (isEngineJob(handle) ? handle.engine : 'local') !== kind;

/**
 * Jobs that an earlier invocation left at work, and whose attempts are dropped: they must not write where the new ones do; those of another backend;
 * and those whose input files are others by now.
 */
async function endUnwanted({ journal, spec }: Hands, planned: readonly PlannedCalibration[]): Promise<void> {
  const left = planned.map((calibration) => {
    const { spec: own, redo } = calibration;
    const [ended, open] = parted(
      journal.unfinishedAttempts(own.name),
      (attempt) => redo === 'all' || (redo === 'algorithms' && attempt.iteration > 0) || isElsewhere(attempt, own.backend),
    );
    return { ended, outdated: open.length === 0 ? [] : outdatedAttempts(calibration, open, journal) };
  });
  const outdated = left.flatMap((each) => each.outdated);
  const algorithms = planned.flatMap(({ spec: { name, backend }, redo }) => {
    const engine = engineOfAlgorithms(backend)?.kind;
    return leftAttempts(spec.output, name).filter(
      ({ directory }) => redo !== 'nothing' || engine === undefined || (readEngineJob(directory)?.engine ?? engine) !== engine,
    );
  });
  const redone = planned.filter(({ redo }) => redo !== 'nothing').map(({ spec: { name } }) => name);
  await endStrategyChildren(spec.output, redone);
  await endAttempts(spec.output, [
    ...left.flatMap(({ ended }) => ended),
    ...outdated,
    ...algorithms.map((attempt) => asLeft(spec.output, attempt)),
  ]);
  // Rows of the others go with their calibration, or their job looks for them in vain.
  const outcome = { state: 'cancelled', detail: 'its input files have changed' } as const;
  for (const { calibration, iteration, collection, job, attempt } of outdated)
    journal.append({ kind: 'attempt.finished', calibration, iteration, collection, job, attempt, outcome, usage: null, warnings: [] });
  for (const attempt of algorithms) {
    keepExecutions(journal, attempt);
    noteOver(attempt.directory);
  }
}

function parted<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

/** What it has finished since a caf listened is not done again. */
function keepExecutions(journal: Journal, attempt: AlgorithmAttempt): void {
  const { calibration, iteration, algorithm } = attempt.file.run.job;
  const known = journal.algorithm(calibration, iteration, algorithm);
  if (known === null || known.finalState !== null) return;
  for (const execution of executionsOf(attempt).slice(known.executions.length))
    journal.append({ kind: 'execution.finished', calibration, iteration, algorithm, execution });
}

/** Writes the plan of one calibration down. */
function writePlan({ journal }: Hands, { spec: { name }, reason, redo, position, fingerprint, reused, start }: PlannedCalibration): void {
  const wasCompleted = journal.calibration(name)?.state === 'completed';
  journal.append({ kind: 'calibration.planned', calibration: name, position, fingerprint: fingerprint(), reason, redo });
  // With a limit raised it goes on from its end: written together with the new limit, or it would be taken for up to date after a kill.
  if (wasCompleted && !reused && redo === 'nothing')
    journal.append({
      kind: 'calibration.state',
      calibration: name,
      state: start.checkpoint,
      checkpoint: start.checkpoint,
      iteration: start.iteration,
    });
}

function block(hands: Hands, calibration: string, by: readonly string[]): void {
  const error = { code: 'CAF_BLOCKED', message: `${calibration} was not started: ${by.join(', ')} failed` };
  hands.journal.append({ kind: 'calibration.state', calibration, state: 'blocked', iteration: 0, error });
  hands.emit({ type: 'calibration.blocked', calibration, by });
}

const localdbOf = (output: string, calibration: string, iteration: number) =>
  join(iterationDirectory(output, calibration, iteration), 'localdb');

const notConvergedWarning = (output: string, { spec }: PlannedCalibration, last: number): CafEvent => ({
  type: 'warning',
  code: 'CAF_NOT_CONVERGED',
  calibration: spec.name,
  message: `${spec.name} reached maxIterations (${spec.maxIterations}) without converging; its last iteration counts`,
  hint:
    last === 0
      ? 'raise maxIterations'
      : `see how its payloads changed: caf db diff ${localdbOf(output, spec.name, last - 1)} ${localdbOf(output, spec.name, last)}`,
});

const startedEvent = ({ spec, plan, version }: CampaignRequest): CafEvent => ({
  type: 'campaign.started',
  output: spec.output,
  config: spec.configPath,
  version,
  calibrations: plan.calibrations.map(({ spec: { name, dependsOn, maxIterations }, reason, reused }) => ({
    name,
    dependsOn,
    maxIterations,
    reason,
    reused,
  })),
});
