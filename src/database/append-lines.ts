// Small append-only text files: one line per fact, whole or not at all. What a killed writer left half is not read, and removed by the next one.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { diskError, errnoOf, writeWhole } from '../payloads/disk.ts';

/** The whole lines of a file; none when it does not exist. */
export function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw diskError(error, 'The file cannot be read', path);
  }
}

/**
 * Appends in one write where the disk takes it whole. `durable`: with fsync. CAF_DISK_FULL, CAF_RESULTS_UNWRITABLE; then the first of
 * several lines may be there.
 */
export function appendLines(path: string, lines: readonly string[], options: { readonly durable: boolean }): void {
  if (lines.length === 0) return;
  try {
    const isNew = !existsSync(path);
    if (!isNew) dropTornLine(path);
    const file = openSync(path, 'a');
    try {
      writeWhole(file, `${lines.join('\n')}\n`);
      if (options.durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (isNew && options.durable) syncDirectory(dirname(path));
  } catch (error) {
    throw diskError(error, 'A line cannot be added', path);
  }
}

function dropTornLine(path: string): void {
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end < bytes.length) truncateSync(path, end);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } catch (error) {
    // Some network file systems refuse fsync of a directory; what they create is durable by itself.
    if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'ENOTSUP') throw error;
  } finally {
    closeSync(directory);
  }
}
