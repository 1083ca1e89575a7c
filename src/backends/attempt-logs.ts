// The two logs of an attempt: real files that the job itself writes to, kept below a size whatever it prints.
import { appendFileSync, openSync, statSync, truncateSync, unlinkSync } from 'node:fs';
import { STDERR_FILE, STDOUT_FILE } from '../worker/contract.ts';

const LOG_FILES = [STDOUT_FILE, STDERR_FILE] as const;

/** Opens a log for appending: after a truncation the job goes on at the new end, and leaves no hole. */
export const openLog = (directory: string, name: (typeof LOG_FILES)[number]): number => openSync(`${directory}/${name}`, 'a');

/** Cuts logs longer than `maxBytes` and says so in them. Returns the size of the longer one. */
export function boundLogs(directory: string, maxBytes: number): number {
  let longest = 0;
  for (const name of LOG_FILES) longest = Math.max(longest, boundLog(`${directory}/${name}`, maxBytes));
  return longest;
}

/** At the end of an attempt: the same, and a log without a byte is removed. */
export function finishLogs(directory: string, maxBytes: number): void {
  for (const name of LOG_FILES) {
    const path = `${directory}/${name}`;
    if (boundLog(path, maxBytes) === 0) unlinkIfThere(path);
  }
}

/** Returns the size it had; -1 = there is no such log. A log that cannot be cut (disk full, directory gone) must not end caf. */
function boundLog(path: string, maxBytes: number): number {
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? -1;
    if (size > maxBytes) {
      truncateSync(path, maxBytes);
      appendFileSync(path, `\n[caf: this log had ${size} bytes; only the first ${maxBytes} are kept]\n`);
    }
    return size;
  } catch {
    return -1;
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Removed by somebody else: it is gone, which is what was wanted.
  }
}
