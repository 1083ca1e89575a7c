// Attempts without a recorded end: which process still works on one, and how it is ended. Never one that only has the same pid.
import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cancelLeftovers, spoolOf } from '../backends/engines.ts';
import { killTree } from '../backends/kill-tree.ts';
import { processOf } from '../backends/local.ts';
import { type AttemptRecord, isEngineJob } from '../domain/job.ts';
import { leadersWritingBelow } from '../host/find-process.ts';
import { isSameProcess } from '../host/process-identity.ts';
import { readStat } from '../host/process-tree.ts';
import { STDOUT_FILE } from '../worker/contract.ts';
import { type AlgorithmAttempt, askToStop, leftAttempts, readEngineJob } from './algorithm-attempts.ts';

/** Jobs of engines that run algorithms of this calibration, from an iteration on, and that an earlier caf has left. */
export const leftAlgorithms = (output: string, calibration: string, fromIteration = 0): readonly Left[] =>
  leftAttempts(output, calibration, fromIteration).map((attempt) => asLeft(output, attempt));

/** Asks it to end as well: it may be one that the engine does not reach. */
export function asLeft(output: string, { directory, file }: AlgorithmAttempt): Left {
  askToStop(directory);
  return { directory: relative(output, directory), handle: readEngineJob(directory), token: file.token };
}

/**
 * Ends the children of strategies that a killed caf has left on these calibrations, from an iteration on: one in the middle of a long
 * computation, or in an endless one, does not notice that its caf is gone.
 */
export async function endStrategyChildren(output: string, calibrations: Iterable<string>, fromIteration = 0): Promise<void> {
  const names = new Set(calibrations);
  if (names.size === 0) return;
  const left = leadersWritingBelow(realpathSync(output)).filter(({ path }) => {
    const [calibration = '', iteration, algorithms, , file, ...deeper] = path.split('/');
    const isAlgorithm = algorithms === 'algorithms' && file === STDOUT_FILE && deeper.length === 0;
    return isAlgorithm && names.has(calibration) && Number(iteration) >= fromIteration;
  });
  await Promise.all(left.map(({ leader }) => killTree(leader, 0)));
}

type Left = Pick<AttemptRecord, 'directory' | 'handle' | 'token'>;

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5000;

/** Ends what still works on these attempts, here and on batch engines: nobody wants their results any more. Resolves to how many that were, when those here are gone and the engines have been told. */
export async function endAttempts(output: string, attempts: readonly Left[]): Promise<number> {
  const leaders = attempts.flatMap(({ directory, handle }) => {
    const found = handle ?? processOf(join(output, directory));
    const leader = found !== null && !isEngineJob(found) && isSameProcess(found) ? readStat(found.pid) : null;
    return leader === null ? [] : [leader];
  });
  const [remote] = await Promise.all([cancelLeftovers(spoolOf(output), attempts), ...leaders.map((leader) => killTree(leader, GRACE_MS))]);
  return leaders.length + remote;
}
