// The four reports, chosen once: live, plain, json, quiet. Nothing else in caf speaks while a campaign runs.
import type { TimedEvent } from '../domain/event.ts';
import { unreachable } from '../domain/result.ts';
import type { Io } from './io.ts';
import { createJsonReport } from './json.ts';
import { createLiveReport } from './live.ts';
import { createPlainReport } from './plain.ts';
import { createQuietReport } from './quiet.ts';
import { isLive } from './style.ts';

export interface Report {
  event(event: TimedEvent): void;
  /** Prints the summary, and gives the terminal back. */
  close(): Promise<void>;
}

export type ReportKind = 'live' | 'plain' | 'json' | 'quiet';

export interface ReportOptions {
  /** One line for each job, and the reasons. */
  readonly verbose: boolean;
  /** The command that continues this campaign, as the user would type it: `caf run prompt.config.ts`. */
  readonly resume: string;
}

/** `--json` and `--quiet` as asked; otherwise live on a terminal, plain elsewhere. */
export function reportKind(asked: { readonly json: boolean; readonly quiet: boolean }, io: Io): ReportKind {
  if (asked.json) return 'json';
  if (asked.quiet) return 'quiet';
  return isLive(io.stderr, io.env) ? 'live' : 'plain';
}

export function createReport(kind: ReportKind, io: Io, options: ReportOptions): Report {
  switch (kind) {
    case 'live':
      return createLiveReport(io, options);
    case 'plain':
      return createPlainReport(io, options);
    case 'json':
      return createJsonReport(io);
    case 'quiet':
      return createQuietReport(io, options);
    default:
      return unreachable(kind);
  }
}
