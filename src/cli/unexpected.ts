// Errors that nobody foresaw: of the system, of the user's code that left them uncaught, or of caf itself, a bug.
import { pathToFileURL } from 'node:url';
import { framesOf } from '../config/call-site.ts';
import { isLocal } from '../config/resolver.ts';
import { CafError } from '../domain/errors.ts';

/** Codes of Node for what is wrong with the surroundings: permissions, tickets that have expired, limits, file servers. */
const SYSTEM =
  /^E(?:ACCES|PERM|ROFS|IO|STALE|MFILE|NFILE|NOMEM|AGAIN|TIMEDOUT|NODEV|NOTCONN|HOSTDOWN|KEYEXPIRED|KEYREVOKED|NOKEY|NOSPC|DQUOT)$/;

/** `hint`: what to do about a bug. */
export function explainUnexpected(error: unknown, hint: () => string): CafError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error) {
    const { code = '', syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && SYSTEM.test(code)) {
      return new CafError(code === 'ENOSPC' || code === 'EDQUOT' ? 'CAF_DISK_FULL' : 'CAF_SYSTEM', `The system refuses: ${message}`, {
        hint: 'mend the cause (permissions, tickets that have expired, limits, a file server); what is finished is kept: run the same command again',
        cause: error,
      });
    }
  }
  return new CafError('CAF_INTERNAL', `This is a bug in caf: ${message}`, { hint: hint(), cause: error });
}

/** Errors that are thrown where nobody waits, in a timer for instance: the first one rejects. */
export function listenForStrayErrors(): { readonly failed: Promise<never>; close(): void } {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const onStray = (error: unknown) => reject(ofConfig(error) ?? error);
  process.on('uncaughtException', onStray);
  return { failed, close: () => void process.off('uncaughtException', onStray) };
}

/** Null for what was not thrown in a file of the user. */
export function ofConfig(error: unknown): CafError | null {
  if (!(error instanceof Error)) return null;
  const [top] = framesOf(error.stack ?? '');
  if (top === undefined || !isLocal(pathToFileURL(top.file).href)) return null;
  return new CafError('CAF_STRAY_ERROR', `The config has left an error uncaught, after it was loaded: ${error.message}`, {
    at: top,
    hint: 'catch it there, or start nothing when a config is loaded; what is finished is kept: run the same command again',
    cause: error,
  });
}
