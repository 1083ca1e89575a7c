// Which processes belong to a job and how much memory they hold, read from /proc with one shared buffer: cheap enough to sample.
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** The parts of /proc/PID/stat that say who a process is. */
export interface ProcessStat {
  readonly pid: number;
  /** One letter; `Z` = ended, but not yet collected by its parent. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Start time in clock ticks since boot. */
  readonly startTicks: number;
}

const buffer = Buffer.allocUnsafe(64 * 1024);

/** Text of a small /proc file; null when the process is gone or not ours to read. */
function readProc(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return null; // the process ended between two looks
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}

/** Null when there is no such process. */
export function readStat(pid: number): ProcessStat | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in parentheses may itself hold spaces and parentheses: the fields begin after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 20);
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** Every process of this machine that can be seen. One open file per process: for kills and rare samples only. */
export function readAllStats(): ProcessStat[] {
  const stats: ProcessStat[] = [];
  for (const name of listProc()) {
    if (name < '0' || name > '9~') continue;
    const stat = readStat(Number(name));
    if (stat !== null) stats.push(stat);
  }
  return stats;
}

/** Nothing where there is no /proc. */
function listProc(): readonly string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

/** The process and its descendants. Children whose parent ended are not found here but by their session (`membersOf`). */
export function descendantsOf(root: number): number[] {
  const found = [root];
  for (let next = 0; next < found.length; next++) {
    const pid = found[next];
    let threads: string[];
    try {
      threads = readdirSync(`/proc/${pid}/task`);
    } catch {
      continue; // ended meanwhile
    }
    for (const thread of threads) {
      const children = readProc(`/proc/${pid}/task/${thread}/children`);
      if (children === null || children === '') continue;
      for (const child of children.trimEnd().split(' ')) found.push(Number(child));
    }
  }
  return found;
}

/**
 * All processes of a job whose leader has (or had) this pid: its session, and all descendants of these, wherever they moved.
 * A pid stays reserved as long as its session has members, so a session never belongs to a stranger.
 */
export function membersOf(leader: number, all: readonly ProcessStat[] = readAllStats()): ProcessStat[] {
  const children = Map.groupBy(all, (stat) => stat.parent);
  const members = new Map<number, ProcessStat>();
  const queue = all.filter((stat) => stat.pid === leader || stat.session === leader || stat.group === leader);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (members.has(next.pid)) continue;
    members.set(next.pid, next);
    queue.push(...(children.get(next.pid) ?? []));
  }
  return [...members.values()];
}

/** AT_PAGESZ of the auxiliary vector: 64 KiB on some arm64 and ppc64 machines. */
function readPageSize(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === 6n) return Number(vector.readBigUInt64LE(at + 8));
  }
  return 4096;
}

let pageSize: number | undefined;

/** Resident memory of these processes together, in bytes. Pages they share are counted once for each. */
export function residentBytes(pids: readonly number[]): number {
  pageSize ??= readPageSize();
  let pages = 0;
  for (const pid of pids) {
    const text = readProc(`/proc/${pid}/statm`);
    if (text === null) continue;
    const from = text.indexOf(' ') + 1;
    pages += Number(text.slice(from, text.indexOf(' ', from)));
  }
  return pages * pageSize;
}

/** As residentBytes, but a page shared by n processes counts 1/n for each. Exact, and some hundred times slower. */
export function proportionalBytes(pids: readonly number[]): number {
  let bytes = 0;
  for (const pid of pids) {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
    bytes += kilobytes === undefined ? residentBytes([pid]) : Number(kilobytes) * 1024;
  }
  return bytes;
}
