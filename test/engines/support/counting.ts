// Counts what caf asks of an engine: by Slurm's own count of requests, and by a log of the commands that were run.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Requests by type, as `sdiag` lists them. */
export type Requests = Readonly<Record<string, number>>;

/** Which requests are one query of the queue: root is always given the whole of it, users only their own part. */
export const QUERIES = ['REQUEST_JOB_INFO', 'REQUEST_JOB_USER_INFO'];
/** Asking for one job, or changing one. */
export const PER_JOB = [
  'REQUEST_JOB_INFO_SINGLE',
  'REQUEST_UPDATE_JOB',
  'REQUEST_CANCEL_JOB_STEP',
  'REQUEST_KILL_JOB',
  'REQUEST_JOB_STEP_INFO',
];

/** Reads the first table of `sdiag`. */
export function readRequests(text: string): Requests {
  const [, rest = ''] = text.split('Remote Procedure Call statistics by message type');
  const [table = ''] = rest.split('Remote Procedure Call statistics by user');
  return Object.fromEntries(
    [...table.matchAll(/^\s+(\w+)\s+\(\s*\d+\)\s+count:(\d+)/gm)].map(([, type = '', count]) => [type, Number(count)]),
  );
}

export const sumOf = (requests: Requests, types: readonly string[]): number => types.reduce((sum, type) => sum + (requests[type] ?? 0), 0);

export const difference = (before: Requests, after: Requests): Requests =>
  Object.fromEntries(
    Object.entries(after)
      .map(([type, count]) => [type, count - (before[type] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );

export interface CommandLog {
  /** The engine's commands, each of which notes that it was run. */
  readonly path: string;
  /** How often each was run. */
  counts(): Readonly<Record<string, number>>;
}

/** Stands in front of `path`; makes `directory`. */
export function logCommands(directory: string, names: readonly string[], path: string): CommandLog {
  mkdirSync(directory, { recursive: true });
  const log = join(directory, 'log');
  for (const name of names) {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\necho ${name} "$@" >> '${log}'\nPATH='${path}' exec ${name} "$@"\n`);
    chmodSync(file, 0o755);
  }
  return {
    path: `${directory}${delimiter}${path}`,
    counts() {
      const counts: Record<string, number> = {};
      const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
      for (const [name = ''] of lines.map((line) => line.split(' '))) if (name !== '') counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    },
  };
}
