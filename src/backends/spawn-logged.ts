// Starts a process whose output goes into real files of its directory, so that it lives on without the one that started it.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { type ProcessStat, readStat } from '../host/process-tree.ts';
import { openLog } from './attempt-logs.ts';
import type { Env } from './launch-contract.ts';

/** Nothing was started; why is known at once or in a moment. */
export interface Failure {
  readonly failure: Promise<unknown>;
}

/** In its own session, so that Ctrl-C reaches only caf. `withChannel`: with a channel for messages, as a Node child has. */
export function spawnLogged(argv: readonly string[], env: Env, directory: string, withChannel: boolean): ChildProcess | Failure {
  const fds: number[] = [];
  try {
    fds.push(openLog(directory, 'stdout'));
    fds.push(openLog(directory, 'stderr'));
    const [file = '', ...rest] = argv;
    const stdio: StdioOptions = ['ignore', fds[0], fds[1], ...(withChannel ? ['ipc' as const] : [])];
    const child = spawn(file, rest, { cwd: directory, env, detached: true, stdio });
    if (child.pid !== undefined) return child;
    return { failure: new Promise((resolve) => child.once('error', resolve)) };
  } catch (error) {
    return { failure: Promise.resolve(error) };
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** A child that was just spawned can be read: even if it has ended, nobody has collected its exit status yet. */
export function leaderOf(child: ChildProcess): ProcessStat {
  const pid = child.pid ?? 0;
  return readStat(pid) ?? { pid, state: 'R', parent: process.pid, group: pid, session: pid, startTicks: 0 };
}
