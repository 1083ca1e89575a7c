// docs/errors.md and the table of codes say the same, in both directions.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { exitCodeFor } from '../../src/cli/exit-codes.ts';
import { ERROR_CODES } from '../../src/domain/errors.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `CAF_'))
  .map((line) => {
    const [, code = '', exit = '', meaning = '', remedy = ''] = line.split('|').map((cell) => cell.trim());
    return { code: code.replaceAll('`', ''), exit: Number(exit), meaning, remedy };
  });

test('every code is documented, in words of its own table, and nothing else is', () => {
  expect(Object.fromEntries(rows.map(({ code, meaning }) => [code, meaning]))).toEqual(ERROR_CODES);
});

test('no code is documented twice, and each says what to do', () => {
  expect(new Set(rows.map(({ code }) => code)).size).toBe(rows.length);
  for (const { code, remedy } of rows) expect(remedy, code).not.toBe('');
});

test('the exit codes are those the command line uses', () => {
  expect(rows.map(({ code, exit }) => [code, exit])).toEqual(rows.map(({ code }) => [code, exitCodeFor(code)]));
});
