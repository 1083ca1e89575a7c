// What others append to a file, read piece by piece.
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLineReader, readAppended } from '../../src/host/read-appended.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
  path = join(directory, 'lines');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('lines come once, as soon as they are whole, also where a piece ends within a character', () => {
  const next = createLineReader(path);
  expect(next()).toEqual([]);
  const bytes = Buffer.from('ein\nGrüß\n\ngott\n');
  appendFileSync(path, bytes.subarray(0, 7));
  expect(next()).toEqual(['ein']);
  expect(next()).toEqual([]);
  appendFileSync(path, bytes.subarray(7));
  expect(next()).toEqual(['Grüß', '', 'gott']);
  expect(next()).toEqual([]);
});

test('a line of many megabytes comes whole', () => {
  const next = createLineReader(path);
  appendFileSync(path, `${'x'.repeat(10e6)}\nend\n`);
  expect(next().map(({ length }) => length)).toEqual([10e6, 3]);
});

test('from a position on, no more than is asked for', () => {
  appendFileSync(path, '0123456789');
  expect(readAppended(path, 3, 4).toString()).toBe('3456');
  expect(readAppended(path, 10, 4)).toHaveLength(0);
  expect(readAppended(path, 99)).toHaveLength(0);
});

test('a pipe or a directory in its place holds nothing, and nobody waits for it', () => {
  mkdirSync(join(directory, 'folder'));
  execFileSync('mkfifo', [path]);
  expect(readAppended(path, 0)).toHaveLength(0);
  expect(readAppended(join(directory, 'folder'), 0)).toHaveLength(0);
});
