// The plain report, for files and pipes: one line per change, time first. Bounded: no line for each job that succeeds.
import { ENGINE_PLACES, type JobsSeen, type TimedEvent } from '../domain/event.ts';
import { type Board, emptyBoard, foldBoard } from './board.ts';
import { describeEvent } from './describe-event.ts';
import type { Io } from './io.ts';
import type { Report, ReportOptions } from './report.ts';
import { writeSummary } from './summary.ts';

/** Failed attempts of one iteration that get a line of their own; caf.log has all. */
const FAILURE_LINES = 20;
/** Below this many jobs, progress is not worth a line. */
const MANY_JOBS = 20;

export function createPlainReport(io: Io, options: ReportOptions): Report {
  let board: Board = emptyBoard;
  const progress = createProgress();
  const say = (event: TimedEvent, text: string) => io.stderr.write(`${event.at.replace(/\.\d+Z$/, 'Z')} ${text}\n`);
  return {
    event: (event) => {
      board = foldBoard(board, event);
      if (options.verbose) return say(event, describeEvent(event).text);
      for (const line of progress(event, board)) say(event, line);
    },
    close: () => writeSummary(board, io, options, io.stdout),
  };
}

/** Lines for an event, without its time: changes, the first failures, every tenth of the jobs, and the first that are seen in a place of their engine. */
function createProgress(): (event: TimedEvent, board: Board) => string[] {
  const counted = new Map<string, { failures: number; tenths: number }>();
  const seen = new Set<string>();
  /** A few in an iteration, however often jobs come and go. */
  const firstSeen = (event: JobsSeen): string[] => {
    const some = [
      ...ENGINE_PLACES.filter((place) => event[place] > 0),
      ...(event.algorithm === null ? [] : [`algorithm ${event.algorithm}`]),
    ];
    const places = some.map((place) => `${event.calibration}/${event.iteration} ${place}`);
    const isNew = places.some((place) => !seen.has(place));
    for (const place of places) seen.add(place);
    return isNew ? [describeEvent(event).text] : [];
  };
  return (event, board) => {
    if (event.type === 'jobs.seen') return firstSeen(event);
    if (event.type !== 'job.finished' && event.type !== 'job.retried') {
      const { weight, text } = describeEvent(withoutObviousReason(event));
      return weight === 'detail' ? [] : [text];
    }
    const row = board.rows[board.index.get(event.calibration) ?? -1];
    const key = `${event.calibration}/${event.iteration}`;
    const counts = counted.get(key) ?? { failures: 0, tenths: 0 };
    counted.set(key, counts);
    const lines: string[] = [];
    if (event.outcome.state === 'failed') {
      counts.failures++;
      if (counts.failures <= FAILURE_LINES) lines.push(describeEvent(event).text);
      if (counts.failures === FAILURE_LINES) lines.push(`${key} further failures are not shown here; caf.log has all`);
    }
    if (row === undefined || row.jobs.total < MANY_JOBS) return lines;
    const ended = row.jobs.succeeded + row.jobs.failed;
    const tenths = Math.floor((10 * ended) / row.jobs.total);
    if (tenths > counts.tenths) {
      counts.tenths = tenths;
      const places = row.engine === null ? '' : ` running=${row.jobs.running} queued=${row.engine.queued}`;
      lines.push(`${key} jobs=${ended}/${row.jobs.total} failed=${row.jobs.failed}${places}`);
    }
    return lines;
  };
}

/** Why something is done again is worth its words; that it never ran is not. */
const withoutObviousReason = (event: TimedEvent): TimedEvent =>
  event.type === 'calibration.started' && event.reason === 'never run' ? { ...event, reason: '' } : event;
