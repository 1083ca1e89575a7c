// Archives the finished jobs of committed iterations, one collection after the other, beside whatever else is going on.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from '../database/journal.ts';
import type { Emit } from '../domain/event.ts';
import { collectionPath } from './hands.ts';
import { type ArchiveSize, archiveJobs, finishedJobs } from './job-archive.ts';

export interface Compaction {
  /** After its commit: nobody needs the directories of its jobs any more. */
  add(calibration: string, iteration: number): void;
  /** Resolves when everything that was added is done, or given up because caf is to stop. Never rejects. */
  settled(): Promise<void>;
}

export interface CompactionOptions {
  readonly output: string;
  readonly journal: Journal;
  readonly emit: Emit;
  readonly stop: AbortSignal;
}

export function createCompaction({ output, journal, emit, stop }: CompactionOptions): Compaction {
  let last: Promise<void> = Promise.resolve();

  async function compact(calibration: string, iteration: number): Promise<void> {
    try {
      await archiveIteration(calibration, iteration);
    } catch (error) {
      if (stop.aborted) return;
      emit({
        type: 'warning',
        code: 'CAF_COMPACT',
        calibration,
        iteration,
        message: `the finished jobs of ${calibration}/${iteration} could not be archived: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'nothing is lost; caf run --compact tries again',
      });
    }
  }

  async function archiveIteration(calibration: string, iteration: number): Promise<void> {
    const record = journal.iteration(calibration, iteration);
    // Of an iteration that failed, the jobs are needed again.
    if (stop.aborted || record === null || record.version === null || record.outcome === 'failed') return;
    // The rows that say so are on the disk before anything is removed.
    journal.commit();
    for (const collection of Object.keys(record.jobs)) {
      const directory = join(output, collectionPath({ calibration, iteration, collection }));
      if (!existsSync(directory)) continue;
      const size = await archiveJobs(directory, finishedJobs(journal.jobs(calibration, iteration, collection)), stop);
      if (size !== null) tell(calibration, iteration, collection, size);
    }
  }

  const tell = (calibration: string, iteration: number, collection: string, { jobs, entries, bytes }: ArchiveSize): void =>
    emit({ type: 'collection.archived', calibration, iteration, collection, jobs, entries, bytes });

  return {
    add(calibration, iteration) {
      last = last.then(() => compact(calibration, iteration));
    },
    settled: () => last,
  };
}
