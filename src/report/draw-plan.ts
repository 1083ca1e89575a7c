// Draws what `caf run --dry-run` would do, and why. Pure.
import type { Style } from './style.ts';
import { count, cutEnd, cutMiddle, drawTable, oneLine } from './text.ts';

export interface PlanRow {
  readonly calibration: string;
  /** Jobs of the next iteration. */
  readonly jobs: number;
  /** Of these, those that are finished and not done again. */
  readonly kept: number;
  readonly reason: string;
  /** Completed, and nothing it depends on has changed. */
  readonly reused: boolean;
}

export interface PlanCanvas {
  readonly columns: number;
  readonly style: Style;
  /** As the user would type it. */
  readonly config: string;
  readonly backend: string;
  /** What does not have its default: name, value, and what says so (`CAF_SLOTS`). */
  readonly settings: readonly (readonly [name: string, value: string, origin: string])[];
}

/** `options`: lines that tell with which options jobs would be sent. */
export function drawPlan(
  rows: readonly PlanRow[],
  { columns, style, config, backend, settings }: PlanCanvas,
  options: readonly string[] = [],
): string[] {
  const todo = rows.filter((row) => !row.reused);
  const jobs = todo.reduce((sum, row) => sum + row.jobs - row.kept, 0);
  const head = `${config}: ${todo.length} to do, ${rows.length - todo.length} reused, ${count(jobs, 'job')} on ${backend}`;
  const cells = rows.map((row) => [
    cutMiddle(row.calibration, Math.max(Math.min(32, columns - 30), 8), style.ellipsis),
    row.reused ? '-' : row.kept === 0 ? String(row.jobs) : `${row.jobs - row.kept} of ${row.jobs}`,
    oneLine(row.reason),
  ]);
  const [header = '', ...lines] = drawTable(['calibration', 'jobs', 'because'], cells).map((line) => cutEnd(line, columns, style.ellipsis));
  const told = drawTable([], settings).map((line) => cutEnd(`  ${line}`, columns, style.ellipsis));
  const below = options.length === 0 ? [] : ['', ...options];
  return [head, ...told, '', style.paint('bold', header), ...lines, ...below, '', 'nothing was submitted or written'];
}
