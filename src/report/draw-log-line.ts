// One line of caf.log, as people read it.
import type { TimedEvent } from '../domain/event.ts';
import { describeEvent } from './describe-event.ts';
import type { Style } from './style.ts';
import { oneLine } from './text.ts';

export interface LogFilter {
  readonly calibration: string;
  readonly iteration: number | null;
}

/** Null when the filter leaves it out. A line that is not one of caf's events is shown as it is. */
export function drawLogLine(line: string, filter: LogFilter | null, style: Style): string | null {
  const event = parseEvent(line);
  if (filter !== null) {
    if (event?.calibration !== filter.calibration) return null;
    if (filter.iteration !== null && event.iteration !== filter.iteration) return null;
  }
  if (event === null) return oneLine(line);
  const text = textOf(event) ?? oneLine(line);
  const { level } = event;
  const paint = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : level === 'debug' ? 'dim' : null;
  return `${event.at.slice(0, 19)}Z ${paint === null ? text : style.paint(paint, text)}`;
}

interface LoggedLine {
  readonly at: string;
  readonly type: string;
  readonly level?: string;
  readonly calibration?: string;
  readonly iteration?: number;
  readonly context?: string;
  readonly error?: { readonly message?: string };
}

function parseEvent(line: string): LoggedLine | null {
  if (!line.startsWith('{')) return null;
  try {
    const parsed = JSON.parse(line) as LoggedLine;
    return typeof parsed.at === 'string' && typeof parsed.type === 'string' ? parsed : null;
  } catch {
    // Half a line, written when the disk was full or while we read.
    return null;
  }
}

function textOf(line: LoggedLine): string | null {
  if (line.type === 'error') return oneLine(`error ${line.context ?? ''}: ${line.error?.message ?? ''}`);
  try {
    return describeEvent(line as unknown as TimedEvent).text;
  } catch {
    // An event of another version of caf.
    return null;
  }
}
