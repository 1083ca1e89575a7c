// The `log` of user functions: one line each on standard error, which is the log file of the job or algorithm.
import { writeSync } from 'node:fs';
import type { Log, LogDetails } from '../config/contexts.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

const STDERR = 2;

/** Lines like `12:03:04.123 warn  few hits {"channel":7}`, in UTC. Written at once: they are there even if the next call crashes. */
export function createChildLog(): Log {
  const at =
    (level: Level) =>
    (message: string, details?: LogDetails): void => {
      const time = new Date().toISOString().slice(11, 23);
      const rest = details === undefined ? '' : ` ${detailsText(details)}`;
      writeSync(STDERR, `${time} ${level.padEnd(5)} ${message}${rest}\n`);
    };
  return Object.assign(at('info'), { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') });
}

function detailsText(details: LogDetails): string {
  const seen = new Set<unknown>();
  return JSON.stringify(details, (_name, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Error) return value.message;
    if (typeof value !== 'object' || value === null) return value;
    // Said twice or part of itself: a log line never throws.
    if (seen.has(value)) return '[seen above]';
    seen.add(value);
    return value;
  });
}
