// How the files of a collection are divided into jobs: deterministic, and each job computed on its own.
import type { Split } from '../domain/calibration.ts';
import { unreachable } from '../domain/result.ts';

/** Number of jobs for so many files. Without files there are none, except with `arguments`, where each entry is a job. */
export function countJobs(split: Split, fileCount: number): number {
  switch (split.by) {
    case 'maxJobs':
      return Math.min(split.maxJobs, fileCount);
    case 'maxFilesPerJob':
      return Math.ceil(fileCount / split.maxFilesPerJob);
    case 'arguments':
      return split.arguments.length;
    default:
      return unreachable(split);
  }
}

/** Which of the sorted files job `index` gets: from `begin` up to, not including, `end`. Earlier jobs get one more where it does not come out even. */
export function rangeOfJob(split: Split, fileCount: number, index: number): { readonly begin: number; readonly end: number } {
  switch (split.by) {
    case 'maxJobs': {
      const jobs = countJobs(split, fileCount);
      if (index >= jobs) return { begin: fileCount, end: fileCount };
      const each = Math.floor(fileCount / jobs);
      const larger = fileCount % jobs;
      const begin = index * each + Math.min(index, larger);
      return { begin, end: begin + each + (index < larger ? 1 : 0) };
    }
    case 'maxFilesPerJob':
      return {
        begin: Math.min(fileCount, index * split.maxFilesPerJob),
        end: Math.min(fileCount, (index + 1) * split.maxFilesPerJob),
      };
    case 'arguments':
      return index < split.arguments.length ? { begin: 0, end: fileCount } : { begin: fileCount, end: fileCount };
    default:
      return unreachable(split);
  }
}

/** The files of job `index`, counted from 0; empty for a job that does not exist. `files` are sorted by the caller. */
export function filesOfJob<File>(split: Split, files: readonly File[], index: number): readonly File[] {
  const { begin, end } = rangeOfJob(split, files.length, index);
  // With `arguments` all jobs share one list: thousands of jobs must not mean thousands of copies.
  return begin === 0 && end === files.length ? files : files.slice(begin, end);
}

/** What job `index` gets besides its files: its entry of `arguments`, else nothing. */
export const argumentsOfJob = (split: Split, index: number): readonly string[] =>
  split.by === 'arguments' ? (split.arguments[index] ?? []) : [];
