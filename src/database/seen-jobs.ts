// Where the jobs of a campaign are on their batch engine, for `caf status` in another process: a small file beside the journal, as long as there are any.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobsSeen } from '../domain/event.ts';

const FILE = '.engine-jobs.json';

export interface SeenJobs {
  /** Published by rename. It is news, not a record: where it cannot be written, the journal will say what is wrong. */
  note(seen: JobsSeen): void;
}

/** What an earlier invocation has left goes: its jobs are looked for anew. */
export function createSeenJobs(directory: string): SeenJobs {
  const path = join(directory, FILE);
  const newest = new Map<string, JobsSeen>();
  rmSync(path, { force: true });
  return {
    note(seen) {
      if (seen.running + seen.queued + seen.held + seen.suspended === 0) newest.delete(seen.calibration);
      else newest.set(seen.calibration, seen);
      try {
        if (newest.size === 0) rmSync(path, { force: true });
        else publish(path, [...newest.values()]);
      } catch {
        // See above.
      }
    },
  };
}

function publish(path: string, jobs: readonly JobsSeen[]): void {
  const temporary = `${path}.new-${process.pid}`;
  try {
    writeFileSync(temporary, `${JSON.stringify({ v: 1, jobs })}\n`);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Empty where there is nothing to read. */
export function readSeenJobs(directory: string): readonly JobsSeen[] {
  try {
    const file = JSON.parse(readFileSync(join(directory, FILE), 'utf8')) as { readonly v?: unknown; readonly jobs?: unknown };
    return file.v === 1 && Array.isArray(file.jobs) ? (file.jobs as readonly JobsSeen[]) : [];
  } catch {
    // None on an engine, or just removed.
    return [];
  }
}
