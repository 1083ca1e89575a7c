// `caf reset`: puts a calibration and what depends on it back to the start of an iteration. What is dropped is kept under a dated name.
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Journal, openJournal } from '../database/journal.ts';
import { journalPath } from '../database/journal-open.ts';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { endAttempts, endStrategyChildren, leftAlgorithms } from './leftover-jobs.ts';

export interface ResetOutcome {
  /** The calibrations that were put back, in the order given. */
  readonly calibrations: readonly string[];
  /** Absolute new names of the directories that were dropped. */
  readonly kept: readonly string[];
}

/**
 * `descendants`: names of all calibrations that depend on it, directly or not; they are reset entirely, those that never began are left out.
 * Jobs that a killed caf has left of them are ended. Rows go first and directories follow: after a crash in between, the same command, or
 * caf run, finishes the work. CAF_USAGE for an unknown calibration
 * or iteration, and the errors of openJournal.
 */
export async function resetCalibration(
  results: string,
  calibration: string,
  iteration: number,
  descendants: readonly string[],
  now: () => Date = () => new Date(),
): Promise<ResetOutcome> {
  const directory = resolve(results);
  // Opening would make a journal where there is none.
  if (!existsSync(journalPath(directory))) {
    throw new CafError('CAF_RESULTS_NOT_FOUND', `${directory} has no journal`, { hint: 'Name the results directory with --output.' });
  }
  const journal = openJournal(directory, { command: 'caf reset', now });
  try {
    checkTarget(journal, calibration, iteration);
    const known = descendants.filter((name) => name !== calibration && journal.calibration(name) !== null);
    const left = [calibration, ...known].flatMap((name) => journal.unfinishedAttempts(name));
    await endAttempts(directory, [
      ...left.filter((attempt) => attempt.calibration !== calibration || attempt.iteration >= iteration),
      ...leftAlgorithms(directory, calibration, iteration),
      ...known.flatMap((name) => leftAlgorithms(directory, name)),
    ]);
    await endStrategyChildren(directory, [calibration], iteration);
    await endStrategyChildren(directory, known);
    journal.append({ kind: 'calibration.reset', calibration, iteration });
    for (const name of known) journal.append({ kind: 'calibration.reset', calibration: name, iteration: 0 });
    journal.commit();
    const suffix = `reset-${now().toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
    const kept = [putAside(directory, calibration, iteration, suffix), ...known.map((name) => putAside(directory, name, 0, suffix))];
    return { calibrations: [calibration, ...known], kept: kept.flat() };
  } finally {
    journal.close();
  }
}

function checkTarget(journal: Journal, calibration: string, iteration: number): void {
  const record = journal.calibration(calibration);
  if (record === null) {
    const names = journal.calibrations().map((each) => each.calibration);
    const near = nearest(calibration, names);
    throw new CafError(
      'CAF_USAGE',
      `There is no calibration ${calibration} in ${journal.directory}; it has ${names.join(', ') || 'none'}`,
      {
        hint: near === null ? 'See its calibrations with: caf status' : `Did you mean ${near}?`,
      },
    );
  }
  if (iteration > record.iteration) {
    throw new CafError(
      'CAF_USAGE',
      `${calibration} is at iteration ${record.iteration} (counted from 0); there is no iteration ${iteration} to go back to`,
      {
        hint: `Choose --iteration 0 to ${record.iteration}.`,
      },
    );
  }
}

/** Renames the result and the iterations from `iteration` on, the result first: it must not outlive what it was made of. */
function putAside(directory: string, calibration: string, iteration: number, suffix: string): readonly string[] {
  const home = join(directory, calibration);
  if (!existsSync(home)) return [];
  const dropped = readdirSync(home)
    .filter((name) => /^\d+$/.test(name) && Number(name) >= iteration)
    .sort((a, b) => Number(b) - Number(a));
  return ['localdb', ...dropped]
    .filter((name) => existsSync(join(home, name)))
    .map((name) => {
      const kept = freeName(join(home, `${name}.${suffix}`));
      renameSync(join(home, name), kept);
      return kept;
    });
}

/** Two resets within one second must not meet. */
function freeName(path: string): string {
  let name = path;
  for (let number = 2; existsSync(name); number += 1) name = `${path}-${number}`;
  return name;
}
