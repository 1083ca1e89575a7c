// Which kind of file system, and how much space is left.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesText, readFileSystem } from '../../src/database/filesystem.ts';
import { temporaryDirectory } from './journal-support.ts';

test('a directory that does not exist yet lies where its nearest ancestor lies', () => {
  const directory = temporaryDirectory();
  const { kind, name } = readFileSystem(directory, {});
  const deeper = readFileSystem(join(directory, 'not', 'yet'), {});
  expect([deeper.kind, deeper.name]).toEqual([kind, name]);
  expect(deeper.freeBytes).toBeGreaterThan(0);
});

test('CAF_FILESYSTEM overrules what was found; another word in it does not', () => {
  const directory = temporaryDirectory();
  expect(readFileSystem(directory, { CAF_FILESYSTEM: 'network' }).kind).toBe('network');
  expect(readFileSystem(directory, { CAF_FILESYSTEM: 'local' }).kind).toBe('local');
  expect(readFileSystem(directory, { CAF_FILESYSTEM: 'fast' }).kind).toBe(readFileSystem(directory, {}).kind);
});

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [123_456, '123 kB'],
  [1_540_000_000, '1.5 GB'],
])('%d bytes are written as %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
