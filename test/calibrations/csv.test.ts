// The reader of columns: what it accepts, and that every complaint names file and line.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkIndex, type Row, readColumns } from '../../calibrations/csv.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function read(
  content: string,
  columns: readonly string[] = ['b', 'a'],
): Promise<{ readonly rows: Row[]; readonly lines: number[]; readonly file: string }> {
  const file = join(directory, 'input.csv');
  writeFileSync(file, content);
  const rows: Row[] = [];
  const lines: number[] = [];
  await readColumns(file, columns, (row, line) => {
    rows.push(row);
    lines.push(line);
  });
  return { rows, lines, file };
}

test('columns come in the order asked for, whatever else the file holds', async () => {
  const { rows, lines } = await read('a,text,b\n1,x,2\n\n-3.5,,4e2\n');
  expect(rows).toEqual([
    [2, 1],
    [400, -3.5],
  ]);
  expect(lines).toEqual([2, 4]);
});

test('a last line without its end, Windows line ends and a byte order mark are read', async () => {
  expect((await read('\uFEFFa,b\r\n1,2\r\n3,4')).rows).toEqual([
    [2, 1],
    [4, 3],
  ]);
});

test('an empty file has no rows', async () => {
  expect((await read('')).rows).toEqual([]);
});

test('lines longer than a chunk of the file are put together', async () => {
  const long = 'x'.repeat(200_000);
  expect((await read(`a,text,b\n1,${long},2\n3,${long},4\n`)).rows).toEqual([
    [2, 1],
    [4, 3],
  ]);
});

test.each([
  ['a,c\n1,2\n', ':1: no column "b"; the header has a, c'],
  ['a,b\n1,2\n1\n', ':3: 1 fields, but the header has 2: a, b'],
  ['a,b\n1,2,3\n', ':2: 3 fields, but the header has 2: a, b'],
  ['a,b\n1,\n', ':2: b is "", not a number'],
  ['a,b\n1,12x\n', ':2: b is "12x", not a number'],
  ['a,b\n1,nan\n', ':2: b is "nan", not a number'],
  ['a,b\nInfinity,1\n', ':2: a is "Infinity", not a number'],
])('%j is refused with file and line', async (content, message) => {
  await expect(read(content)).rejects.toThrow(join(directory, 'input.csv') + message);
});

test('an index outside its range is refused with file and line', () => {
  expect(checkIndex(3, 4, 'channel', 'f.csv', 7)).toBe(3);
  for (const bad of [4, -1, 1.5, Number.NaN]) {
    expect(() => checkIndex(bad, 4, 'channel', 'f.csv', 7)).toThrow(`f.csv:7: channel is ${bad}; expected a whole number from 0 to 3`);
  }
});
