// Directories are made with those above them, and what cannot be made is refused at once.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDirectories } from '../../src/host/make-directories.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('it tells the outermost directory that it made, and nothing when all were there', () => {
  expect(makeDirectories(join(home, 'a/b/c'))).toBe(join(home, 'a'));
  expect(existsSync(join(home, 'a/b/c'))).toBe(true);
  expect(makeDirectories(join(home, 'a/b/d'))).toBe(join(home, 'a/b/d'));
  expect(makeDirectories(join(home, 'a/b/d'))).toBeUndefined();
  mkdirSync(join(home, 'real'));
  symlinkSync(join(home, 'real'), join(home, 'link'));
  makeDirectories(join(home, 'link/below'));
  expect(existsSync(join(home, 'real/below'))).toBe(true);
});

test('a file, or a link to nothing, in the way is refused', () => {
  writeFileSync(join(home, 'file'), '');
  symlinkSync(join(home, 'nowhere'), join(home, 'broken'));
  expect(() => makeDirectories(join(home, 'file'))).toThrow(/EEXIST/);
  expect(() => makeDirectories(join(home, 'file/below'))).toThrow(/ENOTDIR/);
  expect(() => makeDirectories(join(home, 'broken'))).toThrow(/EEXIST/);
});

// As a directory of an automounter does; mkdir with `recursive` would not come back.
test.skipIf(!existsSync('/proc/self'))('a directory that answers ENOENT to a new entry is refused', () => {
  expect(() => makeDirectories('/proc/caf-nothing/below')).toThrow(/ENOENT/);
});
