// An algorithm as its strategy uses it: setup, executions and boundaries, each a function of the config or a program.
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { AlgorithmContext, BoundariesContext, Conditions, Log, SetupContext } from '../config/contexts.ts';
import type { StrategyJob } from '../domain/algorithms-runner.ts';
import { ALGORITHM_RESULTS, type AlgorithmResult, type Command, isCommand, type UserFunction } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { ExecutionRecord } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';
import { describeFailure } from './algorithm-error.ts';
import type { Guard } from './algorithm-guard.ts';
import { createPayloadQueue, type PayloadQueue, type PayloadRules } from './commit.ts';
import { boundariesDirectory, executionDirectory, type JobFile } from './contract.ts';
import type { CollectedData, ExecutionData } from './data.ts';
import { isRun } from './data-records.ts';
import { acceptProgramResult, boundariesOf, gatherData, makeEmptyDirectory, readProgramResult, runProgram } from './program-execution.ts';

/** The parts of an algorithm as the config gives them. */
export interface AlgorithmParts {
  readonly run: UserFunction | Command;
  readonly setup?: UserFunction | Command | null | undefined;
  readonly findBoundaries?: UserFunction | Command | null | undefined;
}

export interface AlgorithmSurroundings {
  readonly job: StrategyJob;
  readonly data: CollectedData;
  readonly rules: PayloadRules;
  readonly conditions: Conditions;
  /** Value of the payload named `parameters` for these runs; {} when there is none. */
  parametersOf(runs: readonly Run[]): Promise<Readonly<Record<string, unknown>>>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly guard: Guard;
}

export interface Algorithm {
  /** Rejects with CAF_ALGORITHM_SETUP. */
  setup(runs: readonly Run[]): Promise<void>;
  /** Never rejects for what the algorithm does wrong: that is result `failure` with its error. Rejects when the payloads cannot be stored. */
  execute(seq: number, runs: readonly Run[], iov: Iov): Promise<ExecutionRecord>;
  /** Rejects with CAF_ALGORITHM_FAILED. */
  findBoundaries(runs: readonly Run[]): Promise<readonly Run[]>;
}

interface Answer {
  readonly result: AlgorithmResult;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export function createAlgorithm(parts: AlgorithmParts, around: AlgorithmSurroundings): Algorithm {
  const { job, data, conditions, log, signal, guard } = around;
  const configDirectory = dirname(job.configPath);
  let timesAskedForBoundaries = 0;

  /** Runs a program in `directory`, which exists; rejects when it fails. Returns the token its result must carry, if any. */
  const program = async (command: Command, directory: string, runs: readonly Run[], iov: Iov | null): Promise<string> => {
    const token = randomUUID();
    const inputs = await gatherData(data, runs, directory);
    const jobFile: JobFile = {
      v: 1,
      calibration: job.calibration,
      algorithm: job.algorithm,
      iteration: job.iteration,
      attempt: 0,
      token,
      runs,
      iov,
      files: inputs.files,
      arguments: [],
      parameters: await around.parametersOf(runs),
      data: inputs,
      conditions: job.conditions,
      outputDirectory: directory,
      config: job.configPath,
      chain: job.chain,
    };
    const { problem } = await runProgram(
      command,
      jobFile,
      configDirectory,
      programEnvironment(),
      directory !== job.directory,
      job.container,
    );
    if (problem !== null) throw new CafError('CAF_ALGORITHM_FAILED', problem);
    return token;
  };

  const runFunction = async (run: UserFunction, runs: readonly Run[], iov: Iov, queue: PayloadQueue): Promise<Answer> => {
    const context: AlgorithmContext = {
      runs,
      iov,
      data: dataFor(data.of(runs)),
      conditions,
      commit: queue.commit,
      commitIntraRun: queue.commitIntraRun,
      commitFile: queue.commitFile,
      iteration: job.iteration,
      log,
      signal,
    };
    const said: unknown = await guard.call('run', () => run(context));
    const result = ALGORITHM_RESULTS.find((word) => word === said);
    if (result === undefined) throw new Error(`it returned ${shownResult(said)}; expected one of ${ALGORITHM_RESULTS.join(', ')}`);
    await queue.close();
    return { result, metadata: {} };
  };

  const runCommand = async (
    command: Command,
    seq: number,
    runs: readonly Run[],
    iov: Iov,
    rules: PayloadRules,
  ): Promise<[Answer, PayloadQueue]> => {
    const directory = join(job.directory, executionDirectory(seq));
    await makeEmptyDirectory(directory);
    const queue = createPayloadQueue(rules, directory, iov);
    const token = await program(command, directory, runs, iov);
    const answer = await acceptProgramResult(await readProgramResult(directory, token), queue, directory);
    await queue.close();
    return [answer, queue];
  };

  return {
    async setup(runs) {
      if (parts.setup === undefined || parts.setup === null) return;
      const { setup } = parts;
      try {
        if (isCommand(setup)) {
          await program(setup, job.directory, runs, null);
          return;
        }
        const refuse = (): never => {
          throw new Error('payloads belong to an execution: commit them in `run`, not in `setup`');
        };
        const context: SetupContext = { data: dataFor(data.of(runs)), conditions, iteration: job.iteration, log, signal };
        // The types do not offer them; a config in JavaScript learns it here.
        await guard.call('setup', () => setup({ ...context, commit: refuse, commitIntraRun: refuse, commitFile: refuse }));
      } catch (error) {
        throw new CafError('CAF_ALGORITHM_SETUP', `setup of ${job.algorithm} failed: ${describeFailure(error, job.configPath)}`, {
          ...hintOf(error),
          cause: error,
        });
      }
    },

    async execute(seq, runs, iov) {
      const startedAt = performance.now();
      const record = (rest: Pick<ExecutionRecord, 'result' | 'payloads' | 'metadata' | 'error'>): ExecutionRecord => ({
        seq,
        runs,
        iov,
        seconds: Math.round(performance.now() - startedAt) / 1000,
        ...rest,
      });
      let answer: Answer;
      let queue: PayloadQueue;
      try {
        if (isCommand(parts.run)) [answer, queue] = await runCommand(parts.run, seq, runs, iov, around.rules);
        else {
          queue = createPayloadQueue(around.rules, job.directory, iov);
          answer = await runFunction(parts.run, runs, iov, queue);
        }
      } catch (error) {
        if (isOfTheSurroundings(error)) throw error;
        const text = describeFailure(error, job.configPath);
        log.error(`execution ${seq} failed: ${text}`, error instanceof Error && !(error instanceof CafError) ? { stack: error.stack } : {});
        return record({ result: 'failure', payloads: [], metadata: {}, error: text });
      }
      // Outside of the try: a store that cannot be written is no failure of the algorithm.
      const counts = answer.result === 'ok' || answer.result === 'iterate';
      return record({ ...answer, payloads: counts ? await queue.store() : [], error: null });
    },

    async findBoundaries(runs) {
      const { findBoundaries } = parts;
      try {
        if (findBoundaries === undefined || findBoundaries === null) throw new Error('the algorithm has none');
        let answer: unknown;
        if (isCommand(findBoundaries)) {
          const directory = join(job.directory, boundariesDirectory(timesAskedForBoundaries++));
          await makeEmptyDirectory(directory);
          const token = await program(findBoundaries, directory, runs, null);
          answer = boundariesOf(await readProgramResult(directory, token));
        } else {
          const context: BoundariesContext = { runs, data: dataFor(data.of(runs)), conditions, iteration: job.iteration };
          answer = await guard.call('findBoundaries', () => findBoundaries(context));
        }
        if (!areRuns(answer)) throw new Error(`it returned ${shownResult(answer)}; expected a list of runs [[experiment, run], ...]`);
        return answer;
      } catch (error) {
        throw new CafError('CAF_ALGORITHM_FAILED', `findBoundaries of ${job.algorithm} failed: ${describeFailure(error, job.configPath)}`, {
          ...hintOf(error),
          cause: error,
        });
      }
    },
  };
}

/** A full disk says nothing about the data: it must not be recorded as a result of the algorithm. */
const isOfTheSurroundings = (error: unknown): boolean =>
  error instanceof CafError
    ? error.code === 'CAF_DISK_FULL' || error.code === 'CAF_RESULTS_UNWRITABLE'
    : ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');

/** The types differ only in that users may say of which type the values are. */
const dataFor = (data: ExecutionData): AlgorithmContext['data'] => data as AlgorithmContext['data'];

const hintOf = (error: unknown): { readonly hint?: string } =>
  error instanceof CafError && error.hint !== undefined ? { hint: error.hint } : {};

function shownResult(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 60);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const areRuns = (value: unknown): value is readonly Run[] => Array.isArray(value) && value.every(isRun);

/** What caf gave this child, without what only the child itself needs. */
function programEnvironment(): Readonly<Record<string, string | undefined>> {
  const { CAF_CHILD: _, NODE_COMPILE_CACHE: __, ...env } = process.env;
  return env;
}
