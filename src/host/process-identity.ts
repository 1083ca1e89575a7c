// Which process is this? A pid alone is reused; host, boot, pid and start time together are not.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessIdentity } from '../domain/job.ts';
import { type ProcessStat, readStat } from './process-tree.ts';

let bootId: string | undefined;

/** Changes with every boot of this machine; empty where the system has none (not Linux). */
function readBootId(): string {
  if (bootId === undefined) {
    try {
      bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    } catch {
      bootId = '';
    }
  }
  return bootId;
}

/** Null when there is no such process; `unreadable` when it exists and belongs to somebody whose /proc we may not read, or there is no /proc. */
function lookAt(pid: number): ProcessStat | 'unreadable' | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  // Gone, hidden (mount option hidepid), or no /proc: signal 0 tells which.
  return readStat(pid) ?? (processExists(pid) ? 'unreadable' : null);
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const identityOf = (pid: number, startTicks: number): ProcessIdentity => ({ host: hostname(), bootId: readBootId(), pid, startTicks });

/**
 * The identity of a process of this machine; null when there is none with this pid. A child that has just died and was not yet waited for
 * still has one, so that what was spawned can always be written down. Where start times cannot be read, `startTicks` is 0.
 */
export function readProcessIdentity(pid: number): ProcessIdentity | null {
  const stat = lookAt(pid);
  if (stat === null) return null;
  return identityOf(pid, stat === 'unreadable' ? 0 : stat.startTicks);
}

export function ownIdentity(): ProcessIdentity {
  return readProcessIdentity(process.pid) ?? identityOf(process.pid, 0);
}

/**
 * Whether that very process is alive: `gone` when the machine was booted since, no process has this pid, or one that started at another
 * time has it; `unknown` on another host, or where its start time cannot be read.
 */
export function processLife(identity: ProcessIdentity): 'alive' | 'gone' | 'unknown' {
  if (identity.host !== hostname()) return 'unknown';
  if (identity.bootId !== readBootId()) return 'gone';
  const stat = lookAt(identity.pid);
  if (stat === null) return 'gone';
  if (stat === 'unreadable') return 'unknown';
  // Zombies have ended, X is the moment of death: only their exit status is left.
  if (stat.state === 'Z' || stat.state === 'X') return 'gone';
  return stat.startTicks === identity.startTicks ? 'alive' : 'gone';
}

/** True only when that very process is known to run on this host now. Without /proc (not Linux) host and pid must do. */
export function isSameProcess(identity: ProcessIdentity): boolean {
  const life = processLife(identity);
  if (life !== 'unknown') return life === 'alive';
  return identity.host === hostname() && identity.bootId === '' && identity.startTicks === 0 && processExists(identity.pid);
}
