// Reads columns of numbers from a comma-separated file with a header line; whatever is wrong is told with file and line.
import { createReadStream } from 'node:fs';

export type Row = readonly number[];

/**
 * Calls `use` for each data line with the values of `columns`, in that order. Other columns may hold anything.
 * Throws `file:line: what is wrong` for a missing column, a line with too few or too many fields, and a value that is not a finite number.
 * A file without a single byte has no rows; empty lines are skipped.
 */
export async function readColumns(
  file: string,
  columns: readonly string[],
  use: (row: Row, line: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  let rest = '';
  let line = 0;
  let parse: ((text: string, line: number) => Row) | null = null;
  const take = (raw: string): void => {
    line += 1;
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (text.trim() === '') return;
    if (parse === null) parse = readHeader(file, line, text, columns);
    else use(parse(text, line), line);
  };
  for await (const chunk of createReadStream(file, { encoding: 'utf8', ...(signal === undefined ? {} : { signal }) })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) take(text);
  }
  if (rest !== '') take(rest);
}

function readHeader(file: string, line: number, text: string, columns: readonly string[]): (text: string, line: number) => Row {
  const header = text
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((name) => name.trim());
  const places = columns.map((column) => {
    const place = header.indexOf(column);
    if (place === -1) throw new Error(`${file}:${line}: no column "${column}"; the header has ${header.join(', ')}`);
    return { column, place };
  });
  return (data, number) => {
    const fields = data.split(',');
    if (fields.length !== header.length) {
      throw new Error(`${file}:${number}: ${fields.length} fields, but the header has ${header.length}: ${header.join(', ')}`);
    }
    return places.map(({ column, place }) => {
      const field = (fields[place] ?? '').trim();
      const value = field === '' ? Number.NaN : Number(field);
      if (!Number.isFinite(value)) throw new Error(`${file}:${number}: ${column} is "${field}", not a number`);
      return value;
    });
  };
}

/** Throws unless `value` is a whole number from 0 to `below` - 1. */
export function checkIndex(value: number, below: number, what: string, file: string, line: number): number {
  if (Number.isInteger(value) && value >= 0 && value < below) return value;
  throw new Error(`${file}:${line}: ${what} is ${value}; expected a whole number from 0 to ${below - 1}`);
}
