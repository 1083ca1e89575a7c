// Reads a collector's result.json: what a program or caf's own child wrote, complete or not, in bounded size.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { ALGORITHM_RESULTS } from '../domain/calibration.ts';
import type { ResultFile } from '../worker/contract.ts';

export type ReadResult =
  | { readonly state: 'absent' }
  | { readonly state: 'unreadable'; readonly reason: string }
  | { readonly state: 'read'; readonly result: ResultFile };

/** The index of records of a big job has some megabytes. */
const MAX_BYTES = 64 * 1024 * 1024;
const SHOWN_BYTES = 80;

/** `token`: of the attempt that is judged; a result that carries another one is not its result. */
export function readResult(path: string, token: string): ReadResult {
  let fd: number;
  try {
    // Most programs write none: looking is ten times cheaper than the error of opening what is not there.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { state: 'absent' };
    // A pipe must not block caf, a link must not lead it elsewhere.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { state: 'absent' } : { state: 'unreadable', reason: `result.json cannot be opened: ${message}` };
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { state: 'unreadable', reason: 'result.json is not a regular file' };
    if (stat.size > MAX_BYTES) return { state: 'unreadable', reason: `result.json has ${stat.size} bytes; at most ${MAX_BYTES} are read` };
    return check(readFileSync(fd, 'utf8'), token);
  } catch (error) {
    return { state: 'unreadable', reason: `result.json cannot be read: ${(error as Error).message}` };
  } finally {
    closeSync(fd);
  }
}

function check(text: string, token: string): ReadResult {
  const unreadable = (reason: string): ReadResult => ({ state: 'unreadable', reason: `result.json ${reason}` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    if (text === '') return unreadable('is empty');
    const first = JSON.stringify(text.slice(0, SHOWN_BYTES)) + (text.length > SHOWN_BYTES ? '...' : '');
    return unreadable(`is not complete JSON; its ${Buffer.byteLength(text)} bytes begin with ${first}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return unreadable('does not hold a JSON object');
  const result = value as Partial<ResultFile>;
  if (result.token !== undefined && result.token !== token) {
    return unreadable(
      `belongs to another attempt: its token is ${JSON.stringify(result.token)}, this attempt's is ${JSON.stringify(token)}`,
    );
  }
  if (!ALGORITHM_RESULTS.some((known) => known === result.result)) {
    return unreadable(`says result ${JSON.stringify(result.result) ?? 'nothing'}; expected one of ${ALGORITHM_RESULTS.join(', ')}`);
  }
  return { state: 'read', result: value as ResultFile };
}

/** The last line that is not blank of a log, made fit for a message; null = there is none. Reads at most 4 KiB. */
export function lastLine(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return null; // an empty log was removed
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return null;
    const bytes = Buffer.alloc(Math.min(4096, stat.size));
    const read = readSync(fd, bytes, 0, bytes.length, stat.size - bytes.length);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and other control sequences are what is taken out
    const text = bytes.toString('utf8', 0, read).replace(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g, '');
    const line = text.trimEnd().split('\n').at(-1)?.trim() ?? '';
    return line === '' ? null : line.slice(0, 300);
  } finally {
    closeSync(fd);
  }
}
