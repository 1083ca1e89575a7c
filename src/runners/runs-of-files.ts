// The single runs that input files are known to hold.
import type { Run } from '../domain/iov.ts';
import type { PlannedFile } from './campaign-plan.ts';

/** Runs of files whose IoV is one single run; sorted, unique. Files that span several runs contribute nothing. */
export function fileRunsOf(files: readonly PlannedFile[]): readonly Run[] {
  const found = new Map<string, Run>();
  for (const { runs } of files) {
    if (runs === null) continue;
    const [experiment, run] = runs;
    if (runs.length === 4 && (runs[2] !== experiment || runs[3] !== run)) continue;
    found.set(`${experiment},${run}`, [experiment, run]);
  }
  return [...found.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}
