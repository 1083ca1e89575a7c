// Files to jobs: the reference's table, and that each job can be computed on its own.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Split } from '../../src/domain/calibration.ts';
import { argumentsOfJob, countJobs, filesOfJob } from '../../src/plan/split.ts';

const sizes = (split: Split, files: number): readonly number[] =>
  Array.from({ length: countJobs(split, files) }, (_, job) => filesOfJob(split, Array.from({ length: files }), job).length);

test.each([
  { files: 11, maxJobs: 4, expected: [3, 3, 3, 2] },
  { files: 5, maxJobs: 4, expected: [2, 1, 1, 1] },
  { files: 3, maxJobs: 10, expected: [1, 1, 1] },
  { files: 10, maxJobs: 3, expected: [4, 3, 3] },
  { files: 1001, maxJobs: 1000, expected: [2, ...Array(999).fill(1)] },
  { files: 7, maxJobs: 1, expected: [7] },
  { files: 0, maxJobs: 5, expected: [] },
])('$files files in at most $maxJobs jobs', ({ files, maxJobs, expected }) => {
  expect(sizes({ by: 'maxJobs', maxJobs }, files)).toEqual(expected);
});

test.each([
  { files: 5, maxFilesPerJob: 2, expected: [2, 2, 1] },
  { files: 4, maxFilesPerJob: 2, expected: [2, 2] },
  { files: 3, maxFilesPerJob: 9, expected: [3] },
  { files: 0, maxFilesPerJob: 2, expected: [] },
])('$files files with at most $maxFilesPerJob per job', ({ files, maxFilesPerJob, expected }) => {
  expect(sizes({ by: 'maxFilesPerJob', maxFilesPerJob }, files)).toEqual(expected);
});

test('with arguments every entry is a job with all files, and with its own arguments', () => {
  const split: Split = { by: 'arguments', arguments: [['3'], ['5', 'fast'], []] };
  const files = ['a', 'b'];
  expect(countJobs(split, files.length)).toBe(3);
  for (const job of [0, 1, 2]) expect(filesOfJob(split, files, job)).toBe(files);
  expect([0, 1, 2].map((job) => argumentsOfJob(split, job))).toEqual([['3'], ['5', 'fast'], []]);
  expect(argumentsOfJob({ by: 'maxJobs', maxJobs: 2 }, 0)).toEqual([]);
});

test('a job that does not exist has no files', () => {
  for (const split of [
    { by: 'maxJobs', maxJobs: 2 },
    { by: 'maxFilesPerJob', maxFilesPerJob: 2 },
    { by: 'arguments', arguments: [['a']] },
  ] as const) {
    expect(filesOfJob(split, ['a', 'b', 'c'], 5)).toEqual([]);
  }
});

test('the jobs together hold each file once, in order, and none is empty', () => {
  const splits = fc.oneof(
    fc.integer({ min: 1, max: 40 }).map((maxJobs): Split => ({ by: 'maxJobs', maxJobs })),
    fc.integer({ min: 1, max: 40 }).map((maxFilesPerJob): Split => ({ by: 'maxFilesPerJob', maxFilesPerJob })),
  );
  fc.assert(
    fc.property(splits, fc.nat(200), (split, count) => {
      const files = Array.from({ length: count }, (_, index) => index);
      const jobs = Array.from({ length: countJobs(split, count) }, (_, job) => filesOfJob(split, files, job));
      expect(jobs.flat()).toEqual(files);
      expect(jobs.every((job) => job.length > 0)).toBe(true);
    }),
  );
});
