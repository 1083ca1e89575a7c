// The reader of usual lines of a database.txt: what it leaves to others, and that it looks at nothing twice.
import { describe, expect, it } from 'vitest';
import { parseDatabaseText } from '../../src/database/database-text.ts';
import { createUsualLineReader } from '../../src/database/usual-line.ts';

/** A text that counts the characters it is searched through. */
class Watched extends String {
  searched = 0;

  override indexOf(word: string, from = 0): number {
    const found = super.indexOf(word, from);
    this.searched += (found === -1 ? this.length : found) - from;
    return found;
  }
}

describe('the reader of usual lines', () => {
  const lines = 1000;
  const numbered = (between: string) =>
    Array.from({ length: lines }, (_, run) => `dbstore/Gains${between}b1946a${between}7,${run},7,${run}\n`).join('');

  it.each([
    ['tabs', numbered('\t')],
    ['no columns at all', 'dbstore/Gains\n'.repeat(lines)],
    ['tabs, and a space at the very end', `${numbered('\t')}# `],
  ])('searches a text with %s through no more than once', (_, text) => {
    const watched = new Watched(text);
    const read = createUsualLineReader(watched as unknown as string);
    for (let at = 0; text.startsWith('dbstore/', at); at = text.indexOf('\n', at) + 1) expect(read(at)).toBeNull();
    expect(watched.searched).toBeLessThanOrEqual(text.length);
  });

  it('leaves lines with tabs to the other one, between usual ones too', () => {
    const text = 'dbstore/A\n'.concat(
      'dbstore/A b1946a 1,0,1,0\ndbstore/A\tb1946a\t1,1,1,1\ndbstore/A b1946a\t1,2,1,2\n',
      'dbstore/A b1946a 1,3,1,3\n',
    );
    const { lines: read, errors } = parseDatabaseText(text);
    expect(read.map(({ line, iov }) => [line, iov[1]])).toEqual([
      [2, 0],
      [3, 1],
      [4, 2],
      [5, 3],
    ]);
    expect(errors.map(({ line }) => line)).toEqual([1]);
  });
});
