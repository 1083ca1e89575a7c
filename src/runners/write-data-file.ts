// Lists the collected data of an iteration for its algorithms: one line per finished job, in the fixed order collection, job.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../payloads/disk.ts';
import { filesOfJob } from '../plan/split.ts';
import type { CollectedJob } from '../worker/contract.ts';
import { listOutputs } from '../worker/outputs.ts';
import type { PlannedCalibration } from './campaign-plan.ts';
import { type Hands, jobPath } from './hands.ts';
import { fileRunsOf } from './runs-of-files.ts';

/** Returns a text about jobs that are missing ('' = none), for messages. */
export function writeDataFile(hands: Hands, planned: PlannedCalibration, iteration: number, path: string): string {
  const calibration = planned.spec.name;
  const file = openSync(path, 'w');
  let missing = 0;
  try {
    for (const { spec, files, jobs } of planned.collections) {
      const finished = hands.journal.jobs(calibration, iteration, spec.name);
      for (let job = 0; job < jobs; job += 1) {
        if (finished.get(job)?.finished?.state !== 'succeeded') {
          missing += 1;
          continue;
        }
        const directory = join(hands.spec.output, jobPath({ calibration, iteration, collection: spec.name, job }));
        const line: CollectedJob = {
          collection: spec.name,
          job,
          directory,
          outputs: listOutputs(directory, spec.outputs),
          fileRuns: fileRunsOf(filesOfJob(spec.split, files, job)),
        };
        writeWhole(file, `${JSON.stringify(line)}\n`);
      }
    }
  } finally {
    closeSync(file);
  }
  return missing === 0 ? '' : `; the data of ${missing} failed job${missing === 1 ? ' is' : 's are'} missing`;
}
