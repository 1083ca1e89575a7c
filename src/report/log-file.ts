// The one door to winston: caf.log, everything that happened, as JSON lines. It never stops a campaign.
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createLogger, format, transports } from 'winston';
import { CafError } from '../domain/errors.ts';
import type { TimedEvent } from '../domain/event.ts';
import { describeEvent } from './describe-event.ts';

export interface LogFile {
  /** Why nothing can be written, or null. It may appear later: the disk fills up. */
  readonly problem: string | null;
  event(event: TimedEvent): void;
  /** An unexpected error, with its stack and causes. */
  error(error: unknown, context: string): void;
  /** Resolves when all lines are in the file. Never rejects. */
  close(): Promise<void>;
}

/** Lines are appended. An unwritable path is told by `problem`, not thrown. */
export async function openLogFile(path: string): Promise<LogFile> {
  let problem: string | null = null;
  const onError = (error: Error) => {
    problem ??= error.message;
  };
  try {
    await (await open(path, 'a')).close();
  } catch (error) {
    onError(error as Error);
    return { problem, event: () => undefined, error: () => undefined, close: async () => undefined };
  }
  const transport = new transports.File({ filename: path });
  transport.on('error', onError);
  // The line is made by us: keys of an event never mix with winston's own.
  const logger = createLogger({ level: 'debug', format: format.printf((info) => JSON.stringify(info.line)), transports: [transport] });
  logger.on('error', onError);
  let isClosed = false;
  const write = (level: string, line: object) => {
    if (!isClosed && problem === null) logger.log({ level, message: '', line });
  };
  return {
    get problem() {
      return problem;
    },
    event: ({ at, type, ...rest }) => {
      const level = levelOf({ at, type, ...rest } as TimedEvent);
      write(level, { at, level, type, ...rest });
    },
    error: (error, context) => {
      write('error', { at: new Date().toISOString(), level: 'error', type: 'error', context, error: serialiseError(error) });
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      const written = finished(transport).catch(onError);
      logger.end();
      if (problem === null) await written;
    },
  };
}

function levelOf(event: TimedEvent): 'error' | 'warn' | 'info' | 'debug' {
  if (event.type === 'warning' || event.type === 'job.retried') return 'warn';
  const { weight } = describeEvent(event);
  return weight === 'failure' ? 'error' : weight === 'detail' ? 'debug' : 'info';
}

/** Winston's own loses causes: name, code, message, hint, stack, and the chain of causes. */
export function serialiseError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const code = (error as NodeJS.ErrnoException).code;
  return {
    name,
    ...(code === undefined ? {} : { code }),
    message,
    ...(error instanceof CafError && error.hint !== undefined ? { hint: error.hint } : {}),
    stack,
    ...(cause === undefined || depth > 8 ? {} : { cause: serialiseError(cause, depth + 1) }),
  };
}
