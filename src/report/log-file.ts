// The one door to winston: caf.log, everything that happened, as JSON lines. It never stops a campaign.
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
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

/** Loading winston takes as long as starting several jobs: they go first, and lines wait in memory until then. */
const LOAD_AFTER_MS = 50;

/** Lines are appended. An unwritable path is told by `problem`, not thrown. */
export async function openLogFile(path: string): Promise<LogFile> {
  let problem: string | null = null;
  const onError = (error: Error) => {
    problem ??= error.message;
  };
  try {
    await endLastLine(path);
  } catch (error) {
    onError(error as Error);
  }
  let waiting: Line[] = [];
  let sink: LineSink | null = null;
  let opening: Promise<void> | null = null;
  const openSink = () => {
    opening ??= createSink(path, onError).then((opened) => {
      sink = opened;
      for (const line of waiting) opened.write(line);
      waiting = [];
    }, onError);
    return opening;
  };
  const timer = setTimeout(openSink, LOAD_AFTER_MS);
  let isClosed = false;
  const write = (line: Line) => {
    if (isClosed || problem !== null) return;
    if (sink === null) waiting.push(line);
    else sink.write(line);
  };
  return {
    get problem() {
      return problem;
    },
    event: (event) => {
      const { at, type, ...rest } = event;
      write({ at, level: levelOf(event), type, ...rest });
    },
    error: (error, context) => {
      write({ at: new Date().toISOString(), level: 'error', type: 'error', context, error: serialiseError(error) });
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(timer);
      if (waiting.length > 0 && problem === null) await openSink();
      await opening;
      await sink?.end();
    },
  };
}

/** A full disk or a kill may have cut the last line of an earlier invocation: ours must not be joined to it. */
async function endLastLine(path: string): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    if (size === 0) return;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer[0] !== 0x0a) await file.write('\n');
  } finally {
    await file.close();
  }
}

type Level = 'error' | 'warn' | 'info' | 'debug';

interface Line {
  readonly at: string;
  readonly level: Level;
  readonly type: string;
  readonly [key: string]: unknown;
}

interface LineSink {
  write(line: Line): void;
  /** Resolves when all lines are in the file, or cannot be. */
  end(): Promise<void>;
}

async function createSink(path: string, onError: (error: Error) => void): Promise<LineSink> {
  const { createLogger, format, transports } = (await import('winston')).default;
  // Winston's own file swallows the error of a full disk, and then never finishes: the file is ours, winston writes into it.
  const file = createWriteStream(path, { flags: 'a' });
  file.on('error', onError);
  const transport = new transports.Stream({ stream: file });
  transport.on('error', onError);
  // The line is made by us: keys of an event never mix with winston's own.
  const logger = createLogger({ level: 'debug', format: format.printf((info) => JSON.stringify(info.line)), transports: [transport] });
  logger.on('error', onError);
  return {
    write: (line) => void logger.log({ level: line.level, message: '', line }),
    end: async () => {
      const handedOver = finished(transport).catch(onError);
      logger.end();
      await handedOver;
      file.end();
      await finished(file).catch(onError);
    },
  };
}

function levelOf(event: TimedEvent): Level {
  if (event.type === 'warning' || event.type === 'job.retried') return 'warn';
  // The many, without the text that describeEvent would make of them.
  if (event.type === 'job.started' || event.type === 'jobs.seen' || (event.type === 'job.finished' && event.outcome.state !== 'failed'))
    return 'debug';
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
