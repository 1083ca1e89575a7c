// Keeps the user's code from ending the child: process.exit, uncaught exceptions and unhandled rejections fail the call they happen in.
import { CafError } from '../domain/errors.ts';

export interface Guard {
  /** Runs user code. Rejects with what it throws, wherever it throws it, also from a timer or a promise nobody awaits. */
  call<T>(what: string, code: () => T | Promise<T>): Promise<T>;
  /** What user code threw after its call had ended; undefined = nothing. */
  late(): { readonly error: unknown } | undefined;
  /** Ends the process, whatever user code made of process.exit. */
  exit(code: number): never;
}

/** Installs itself for the life of the process: one per child. */
export function createGuard(): Guard {
  let fail: ((error: unknown) => void) | null = null;
  let current = '';
  let late: { readonly error: unknown } | undefined;

  const failed = (error: unknown): void => {
    if (fail !== null) fail(error);
    else late ??= { error };
  };
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);

  process.on('beforeExit', () => {
    fail?.(new CafError('CAF_ALGORITHM_FAILED', `${current} waits for a promise that can never settle: nothing is left to wait for`));
  });

  const exit = process.exit.bind(process);
  process.exit = (code?: number | string | null): never => {
    if (fail === null) return exit(code ?? undefined);
    const error = new CafError('CAF_ALGORITHM_FAILED', `${current} called process.exit(${code ?? ''})`, {
      hint: "Return 'failure' instead, or throw an Error that says why.",
    });
    // Both: user code may catch what is thrown, but the call has failed all the same.
    fail(error);
    throw error;
  };

  return {
    async call(what, code) {
      if (late !== undefined) throw late.error;
      const { promise, reject } = Promise.withResolvers<never>();
      promise.catch(() => undefined); // the race below may be over before it rejects
      fail = reject;
      current = what;
      // Only what user code waits for keeps the process alive: a promise that never settles is noticed.
      process.channel?.unref();
      try {
        return await Promise.race([(async () => await code())(), promise]);
      } finally {
        fail = null;
        process.channel?.ref();
      }
    },
    late: () => late,
    exit,
  };
}
