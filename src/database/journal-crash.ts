// Fault injection for the crash matrix: ends this process by SIGKILL right after the commit of a chosen journal entry.
import { JOURNAL_KINDS, type JournalKind } from '../domain/journal.ts';

export interface CrashPoint {
  /** Counts an appended entry; true for the one after whose commit the process must die. */
  isReached(kind: JournalKind): boolean;
  crash(): void;
}

/** CAF_CRASH_AFTER=`kind:n`: the n-th entry (from 1) of that kind in this process; kind `*` counts all. Null when it is not set. */
export function readCrashPoint(env: NodeJS.ProcessEnv): CrashPoint | null {
  const text = env.CAF_CRASH_AFTER;
  if (text === undefined || text === '') return null;
  const match = /^(?<kind>[a-z.*]+):(?<count>[1-9]\d*)$/.exec(text);
  const kind = match?.groups?.kind;
  if (kind === undefined || (kind !== '*' && !JOURNAL_KINDS.includes(kind as JournalKind))) {
    throw new Error(`CAF_CRASH_AFTER=${text}: expected kind:n with one of ${JOURNAL_KINDS.join(', ')}, *`);
  }
  let left = Number(match?.groups?.count);
  return {
    isReached(appended) {
      if (kind !== '*' && kind !== appended) return false;
      left -= 1;
      return left === 0;
    },
    crash() {
      process.kill(process.pid, 'SIGKILL');
    },
  };
}
