// Entry of the batch job that runs one algorithm: does on the node what caf does beside itself, and writes down what is said.
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { AlgorithmListener } from '../domain/algorithms-runner.ts';
import { type AlgorithmJobFile, attemptPaths, CRASHED_STATUS, createMessageWriter } from './algorithm-attempts.ts';
import { createForkedAlgorithmsRunner } from './forked-algorithms-runner.ts';

/** How often it looks for the wish that it ends. */
const LOOK_MS = 1000;
/** A signal for all processes of the job may reach the strategy's child first. */
const SIGNAL_MS = 500;
/** As a shell tells of SIGTERM. */
const TERMINATED = 143;

/** `child`: path of the strategy's child. Returns the exit status: not 0 where the engine may know better how it ended. */
async function runAlgorithmJob(directory: string, child: string): Promise<number> {
  const paths = attemptPaths(directory);
  const { run } = JSON.parse(readFileSync(paths.job, 'utf8')) as AlgorithmJobFile;
  const write = createMessageWriter(directory);
  const ending = new AbortController();
  const ended = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve(), { once: true }));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGXCPU'] as const) process.on(signal, () => ending.abort());
  setInterval(() => existsSync(paths.stop) && ending.abort(), LOOK_MS);

  const listener: AlgorithmListener = {
    ready: (runs) => write({ type: 'ready', runs }),
    executionStarted: (seq, runs, iov) => write({ type: 'execution.started', seq, runs, iov }),
    executionFinished: (execution) => write({ type: 'execution.finished', execution }),
    resultReported: (report) => write({ type: 'result.reported', report }),
    warning: (message) => write({ type: 'warning', message }),
  };
  const { NODE_COMPILE_CACHE: compileCache, ...env } = process.env as Record<string, string>;
  const runner = createForkedAlgorithmsRunner({ childUrl: pathToFileURL(child), compileCache });
  const outcome = await runner.run({ ...run, stopping: new AbortController().signal, env }, listener, ending.signal);
  const hasCrashed = outcome.error?.code === 'CAF_ALGORITHM_CRASHED';
  if (hasCrashed) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, SIGNAL_MS))]);
  // Ended from outside, it has nothing to say of the algorithm.
  if (outcome.cancelled === true || (hasCrashed && ending.signal.aborted)) return TERMINATED;
  write({ type: 'outcome', outcome });
  return hasCrashed ? CRASHED_STATUS : 0;
}

const [, , directory = '', child = ''] = process.argv;
process.exit(await runAlgorithmJob(directory, child));
