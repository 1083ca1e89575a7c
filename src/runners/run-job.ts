// The hands of the job machine: admission, directory and job.json, start or adoption, judgement, renaming into place.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromCallback, fromPromise } from 'xstate';
import type { Admission, AttemptEnd, Backend, JobSubmission, RunningJob } from '../backends/backend.ts';
import { isCommand } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { type JobKey, jobText } from '../domain/job.ts';
import { type Adoption, type Attempt, type JobEvent, jobMachine } from '../machines/job-machine.ts';
import { diskError } from '../payloads/disk.ts';
import { filesOfJob } from '../plan/split.ts';
import { containerArgv, containerVariables, runtimeEnvironment } from '../worker/container.ts';
import { JOB_FILE, type JobFile, RESULT_FILE } from '../worker/contract.ts';
import { expandArgv } from '../worker/placeholders.ts';
import type { PlannedCollection } from './campaign-plan.ts';
import { resolveImage } from './check-container.ts';
import { attemptPath, type Hands, jobPath } from './hands.ts';
import { judgeAttempt, retryDecision } from './judge-attempt.ts';
import { keepFewFiles } from './keep-few-files.ts';
import { fileRunsOf } from './runs-of-files.ts';

/** What all jobs of one collection in one iteration share. */
export interface CollectionRun {
  readonly planned: PlannedCollection;
  readonly calibration: string;
  readonly iteration: number;
  /** Those of one collection differ only in what jobs need of the site. */
  readonly backendOf: (job: number) => Backend;
  /** Absolute path of the chain's lock file. */
  readonly chain: string;
  /** Absolute path of the chain's payload files. */
  readonly conditions: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** How many jobs are kept in hand: a little more than can run at once. */
  readonly window: number;
}

/** The job machine with real hands, made once per collection and iteration. */
export function createJobLogic(hands: Hands, run: CollectionRun) {
  const { spec } = run.planned;
  const { output, configPath } = hands.spec;
  const configDirectory = join(configPath, '..');
  const container = spec.container === null ? null : resolveImage(spec.container, configDirectory);
  const { environment } = run.backendOf(0);
  const env =
    container === null
      ? { ...environment, ...spec.env }
      : { ...runtimeEnvironment(container, environment), ...containerVariables(container, spec.env) };
  const admissions = new Map<number, Admission>();

  const release = (job: number) => {
    admissions.get(job)?.release();
    admissions.delete(job);
  };

  const jobFileOf = (key: JobKey, attempt: Attempt): JobFile => {
    const files = filesOfJob(spec.split, run.planned.files, key.job);
    return {
      v: 1,
      ...key,
      attempt: attempt.attempt,
      token: attempt.token,
      runs: fileRunsOf(files),
      iov: hands.spec.iov,
      files: files.map((file) => file.absolute),
      arguments: spec.split.by === 'arguments' ? (spec.split.arguments[key.job] ?? []) : [],
      parameters: run.parameters,
      data: { records: [], files: [] },
      conditions: run.conditions,
      outputDirectory: join(output, attempt.directory),
      config: configPath,
      chain: run.chain,
    };
  };

  const submissionOf = (key: JobKey, attempt: Attempt, file: JobFile): JobSubmission => {
    const common = {
      ...key,
      attempt: attempt.attempt,
      token: attempt.token,
      directory: file.outputDirectory,
      resources: attempt.resources,
    };
    if (!isCommand(spec.collect)) return { ...common, task: { kind: 'function', configPath, env, setup: spec.setup } };
    const argv = expandArgv(spec.collect.argv, {
      config: configDirectory,
      files: file.files,
      output: file.outputDirectory,
      iteration: key.iteration,
      parameters: run.parameters,
    });
    const own = { CAF_JOB: join(file.outputDirectory, JOB_FILE) };
    const program = [...argv, ...file.arguments];
    if (container === null) return { ...common, task: { kind: 'program', argv: program, env, ownEnv: own, setup: spec.setup } };
    const { memoryBytes, timeMs } = attempt.resources;
    const contained = containerArgv(container, {
      argv: program,
      directory: file.outputDirectory,
      reads: [configDirectory, output, ...file.files.filter((path) => path.startsWith('/')).map((path) => dirname(path))],
      env: { ...spec.env, ...own },
      memoryBytes,
      timeMs,
    });
    return { ...common, task: { kind: 'program', argv: contained, env, ownEnv: containerVariables(container, own), setup: spec.setup } };
  };

  const start = (key: JobKey, attempt: Attempt): RunningJob => {
    const file = jobFileOf(key, attempt);
    // The row of this attempt is on disk before anything of it exists.
    hands.journal.commit();
    makeEmpty(file.outputDirectory);
    writeFileSync(join(file.outputDirectory, JOB_FILE), JSON.stringify(file));
    return run.backendOf(key.job).submit(submissionOf(key, attempt, file));
  };

  const losses = new Map<number, number>();
  /** How often this invocation saw the job end with its node, this time included. */
  const lossesOf = (job: number, { how }: AttemptEnd): number => {
    const count = (losses.get(job) ?? 0) + (how === 'node-lost' ? 1 : 0);
    if (count > 0) losses.set(job, count);
    return count;
  };

  return jobMachine.provide({
    actors: {
      admit: fromPromise(async ({ input, signal }) => {
        const admission = await run.backendOf(input.key.job).admit(input.resources, hands.stop);
        // Nobody waits for it any more: a wish to leave follows a wish to stop.
        if (signal.aborted) admission.release();
        else admissions.set(input.key.job, admission);
        return {
          attempt: input.attempt,
          token: randomUUID(),
          directory: attemptPath(input.key, input.attempt),
          resources: input.resources,
        };
      }),
      runAttempt: fromCallback<JobEvent, { key: JobKey; attempt: Attempt; adopt: Adoption | null }>(({ input, sendBack, receive }) => {
        const { key, attempt } = input;
        const name = jobText(key);
        const facts = {
          spec,
          token: attempt.token,
          directory: join(output, attempt.directory),
          // Only asked for when an attempt failed.
          get files() {
            return filesOfJob(spec.split, run.planned.files, key.job).map(({ absolute }) => ({ path: absolute }));
          },
        };
        const end = (attemptEnd: AttemptEnd) => {
          try {
            const { outcome, usage, warnings } = judgeAttempt(attemptEnd, facts);
            // An attempt of an earlier invocation may have met a disk that has room again: caf was started anew because of that.
            const wasFull = input.adopt !== null && outcome.state === 'failed' && outcome.cause === 'disk-full';
            const retry = wasFull
              ? { resources: attempt.resources, counts: false }
              : retryDecision(outcome, attempt.resources, lossesOf(key.job, attemptEnd));
            sendBack({ type: 'attempt.ended', outcome, usage, warnings, retry });
          } catch (error) {
            sendBack(broken(error, facts.directory));
          }
        };
        const begin = (running: RunningJob, isWritten: boolean) => {
          hands.running.add(name);
          receive(() => void running.cancel());
          running.started
            .then((handle) => {
              if (!isWritten && handle !== null)
                hands.journal.append({ kind: 'attempt.spawned', ...key, attempt: attempt.attempt, handle });
              sendBack({ type: 'attempt.spawned', handle });
              return running.ended;
            })
            .then((attemptEnd) => {
              hands.running.delete(name);
              release(key.job);
              // The next job starts in this turn; what became of this one is looked at while that runs.
              setImmediate(end, attemptEnd);
            })
            .catch((error: unknown) => sendBack(broken(error, facts.directory)));
        };
        try {
          if (input.adopt === null) {
            begin(start(key, attempt), false);
            return;
          }
          const running = adopt(key, attempt, input.adopt);
          if (running !== null) begin(running, input.adopt.handle !== null);
          else if (existsSync(join(facts.directory, RESULT_FILE))) {
            sendBack({ type: 'attempt.spawned', handle: null });
            end({ how: 'unknown', usage: { seconds: 0, maxRssBytes: null } });
          } else sendBack({ type: 'attempt.lost' });
        } catch (error) {
          // The directory or job.json could not be written: the surroundings are at fault, not the job.
          release(key.job);
          sendBack(broken(error, facts.directory));
        }
      }),
      acceptAttempt: fromPromise(async ({ input }) => {
        hands.journal.commit();
        const from = join(output, input.attempt.directory);
        run.backendOf(input.key.job).forget(from);
        const to = join(output, jobPath(input.key));
        try {
          keepFewFiles(from, input.attempt.token);
        } catch {
          // On a full disk, for instance: one file more than need be, and all that the job left. Its success stands.
        }
        try {
          rename(from, to);
        } catch (error) {
          throw diskError(error, 'The job could not be put into its place', to);
        }
      }),
    },
    actions: {
      journal: (_, entry) => hands.journal.append(entry),
      tell: (_, event) => hands.emit(event),
    },
  });

  function adopt(key: JobKey, attempt: Attempt, { handle }: Adoption): RunningJob | null {
    // Its slot is taken in the order of adoption; a job that ends before its turn gives it back at once.
    let ended = false;
    const running = run.backendOf(key.job).adopt(submissionOf(key, attempt, jobFileOf(key, attempt)), handle);
    if (running === null) return null;
    run
      .backendOf(key.job)
      .admit(attempt.resources, hands.stop)
      .then(
        (admission) => (ended ? admission.release() : admissions.set(key.job, admission)),
        () => undefined,
      );
    void running.ended.then(() => {
      ended = true;
    });
    return running;
  }
}

/** Usually it is not there: only a killed caf leaves one behind, whose attempt was not written down. */
function makeEmpty(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
  }
}

/** Renames an attempt into place. Done twice after a crash it finds the work done. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && existsSync(to)) return;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    // An older result of this job stands there, from before the calibration was done again.
    rmSync(to, { recursive: true });
    renameSync(from, to);
  }
}

function broken(thrown: unknown, directory: string): JobEvent {
  const error = diskError(thrown, 'The job could not be started', directory);
  const cause = error instanceof CafError && error.code === 'CAF_DISK_FULL' ? 'disk-full' : 'not-started';
  const detail = error instanceof Error ? error.message : String(error);
  return { type: 'attempt.ended', outcome: { state: 'failed', cause, detail }, usage: null, warnings: [], retry: null };
}
