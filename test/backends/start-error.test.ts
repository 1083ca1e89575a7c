// Why a program could not be started, where the system's own answer misleads.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startErrorText } from '../../src/backends/start-error.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('"permission denied" for a program that is nowhere on PATH is told as not found', () => {
  const denied = Object.assign(new Error('spawn fit EACCES'), { code: 'EACCES' });
  mkdirSync(join(home, 'fit'));
  expect(startErrorText(denied, ['fit'], home, { PATH: home })).toBe(`the program "fit" was not found on PATH (${home})`);
  writeFileSync(join(home, 'plain'), '');
  expect(startErrorText(denied, ['plain'], home, { PATH: home })).toMatch(/"plain" may not be executed/);
  expect(startErrorText(denied, [join(home, 'fit')], home, { PATH: home })).toMatch(/may not be executed/);
});
