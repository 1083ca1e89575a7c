// Whether a log can still grow: what `caf logs -f` waits for, and when it has seen everything.
import { openJournalForReading } from '../database/journal-reader.ts';
import type { JournalReads } from '../database/journal-records.ts';
import type { FoundLog } from './find-log.ts';

/** False once what wrote it has ended, or nobody works on the results directory any more. */
export function canGrow(results: string, log: FoundLog): boolean {
  const reader = openJournalForReading(results);
  try {
    if (!reader.isHeld()) return false;
    return reader.journal === null || !hasEnded(reader.journal, log);
  } finally {
    reader.close();
  }
}

function hasEnded(journal: JournalReads, log: FoundLog): boolean {
  if (log.kind === 'events') {
    if (log.calibration === null) return false;
    const record = journal.calibration(log.calibration);
    if (record === null) return false;
    const isPast = log.iteration !== null && log.iteration < record.iteration;
    return isPast || record.state === 'completed' || record.state === 'failed' || record.state === 'blocked';
  }
  if ('algorithm' in log.of) {
    const { calibration, iteration, algorithm } = log.of;
    return (journal.algorithm(calibration, iteration, algorithm)?.finalState ?? null) !== null;
  }
  const { attempt } = log.of;
  const record = journal.attempts(log.of).find((one) => one.attempt === attempt);
  return record !== undefined && record.outcome !== null;
}
