// caf reset: rows dropped, directories kept under dated names.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { readStatus } from '../../src/report/status-model.ts';
import { resetCalibration } from '../../src/runners/reset.ts';
import { ENTRIES, entriesUpTo, jobKey, openForTest, temporaryDirectory } from '../database/journal-support.ts';

const NOW = () => new Date('2026-11-21T20:14:03.456Z');
const DATED = 'reset-2026-11-21T20-14-03Z';

/** pedestals with iterations 0, 1, 10 and gain with iteration 0, both completed. */
function campaign(): string {
  const directory = temporaryDirectory();
  const journal = openForTest(directory);
  const ended = ENTRIES['invocation.ended'];
  for (const entry of entriesUpTo('calibration.completed')) journal.append(entry);
  for (const iteration of [1, 10]) {
    journal.append({ ...ENTRIES['iteration.started'], iteration });
    journal.append({ ...ENTRIES['attempt.started'], ...jobKey(0, iteration) });
  }
  journal.append({ ...ENTRIES['calibration.completed'], iteration: 10 });
  for (const entry of entriesUpTo('calibration.completed').slice(1)) journal.append({ ...entry, calibration: 'gain' } as JournalEntry);
  journal.append({ ...ENTRIES['calibration.planned'], calibration: 'gain', position: 1 });
  journal.append(ended);
  journal.close();
  for (const path of ['pedestals/0', 'pedestals/1', 'pedestals/10', 'pedestals/localdb', 'gain/0', 'gain/localdb'])
    mkdirSync(join(directory, path), { recursive: true });
  return directory;
}

async function refusalOf(reset: Promise<unknown>): Promise<CafError> {
  const error = await reset.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof CafError) return error;
  throw new Error(`expected a CafError, but got ${error}`);
}

test('a calibration goes back to the start of an iteration, its descendants to theirs; what is dropped is kept', async () => {
  const directory = campaign();
  const { calibrations, kept } = await resetCalibration(directory, 'pedestals', 1, ['gain', 'never-begun'], NOW);
  expect(calibrations).toEqual(['pedestals', 'gain']);
  expect(kept).toEqual(
    ['pedestals/localdb', 'pedestals/10', 'pedestals/1', 'gain/localdb', 'gain/0'].map((path) => join(directory, `${path}.${DATED}`)),
  );
  expect(readdirSync(join(directory, 'pedestals')).sort()).toEqual(['0', `1.${DATED}`, `10.${DATED}`, `localdb.${DATED}`]);
  expect(readdirSync(join(directory, 'gain')).sort()).toEqual([`0.${DATED}`, `localdb.${DATED}`]);

  const journal = openForTest(directory);
  expect(journal.calibration('pedestals')).toMatchObject({
    state: 'init',
    checkpoint: 'init',
    iteration: 1,
    converged: null,
    result: null,
  });
  expect(journal.iterations('pedestals').map(({ iteration }) => iteration)).toEqual([0]);
  expect(journal.jobCounts('pedestals', 0).succeeded).toBe(1);
  expect(journal.attempts(jobKey(0, 1))).toEqual([]);
  expect(journal.calibration('gain')).toMatchObject({ state: 'init', iteration: 0, result: null });
  expect(journal.iterations('gain')).toEqual([]);
  journal.close();
  expect(readStatus(directory)).toMatchObject({ state: 'interrupted', owner: null });
});

test('two resets within the same second keep both', async () => {
  const directory = campaign();
  await resetCalibration(directory, 'gain', 0, [], NOW);
  mkdirSync(join(directory, 'gain', '0'));
  expect((await resetCalibration(directory, 'gain', 0, [], NOW)).kept).toEqual([join(directory, 'gain', `0.${DATED}-2`)]);
});

test('directories that a crash left between rows and renames are put aside by the same command again', async () => {
  const directory = campaign();
  const journal = openForTest(directory);
  journal.append({ kind: 'calibration.reset', calibration: 'pedestals', iteration: 0 });
  journal.close();
  await resetCalibration(directory, 'pedestals', 0, [], NOW);
  expect(readdirSync(join(directory, 'pedestals')).every((name) => name.endsWith(DATED))).toBe(true);
});

test('an unknown calibration or iteration is refused with what there is, and nothing is touched', async () => {
  const directory = campaign();
  const unknown = await refusalOf(resetCalibration(directory, 'pedestal', 0, [], NOW));
  expect([unknown.code, unknown.message, unknown.hint]).toEqual([
    'CAF_USAGE',
    `There is no calibration pedestal in ${directory}; it has pedestals, gain`,
    'Did you mean pedestals?',
  ]);
  const beyond = await refusalOf(resetCalibration(directory, 'pedestals', 11, [], NOW));
  expect([beyond.code, beyond.message]).toEqual([
    'CAF_USAGE',
    'pedestals is at iteration 10 (counted from 0); there is no iteration 11 to go back to',
  ]);
  expect(readdirSync(join(directory, 'pedestals')).sort()).toEqual(['0', '1', '10', 'localdb']);
});

test('a directory without a journal is not given one', async () => {
  const directory = temporaryDirectory();
  expect((await refusalOf(resetCalibration(directory, 'pedestals', 0, []))).code).toBe('CAF_RESULTS_NOT_FOUND');
  expect(readdirSync(directory)).toEqual([]);
});

test('a campaign that is running is not reset', async () => {
  const directory = campaign();
  openForTest(directory);
  expect((await refusalOf(resetCalibration(directory, 'pedestals', 0, []))).code).toBe('CAF_RESULTS_LOCKED');
});
