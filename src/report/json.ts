// The report for machines: one event per line on standard output.
import type { TimedEvent } from '../domain/event.ts';
import type { Io } from './io.ts';
import type { Report } from './report.ts';

export function createJsonReport(io: Io): Report {
  return {
    event: (event) => io.stdout.write(`${eventJson(event)}\n`),
    close: async () => undefined,
  };
}

/** `{ "v": 1, "at": ..., "type": ..., ... }` */
export const eventJson = ({ at, type, ...rest }: TimedEvent): string => JSON.stringify({ v: 1, at, type, ...rest });
