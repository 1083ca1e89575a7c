// database.txt in and out (conditions T39, T44): every bad line told, nothing half imported, a round trip that keeps identities.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDatabaseText } from '../../src/database/database-text.ts';
import { exportDatabase, importDatabase } from '../../src/database/exchange.ts';
import { flattenChain } from '../../src/database/flatten.ts';
import { openDatabase } from '../../src/database/open.ts';
import { showDatabase } from '../../src/database/queries.ts';
import { CafError } from '../../src/domain/errors.ts';
import { formatIov } from '../../src/domain/iov.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { Bench, codeOf, sha256, temporaryDirectory } from './support.ts';

const T39 = `# calibration output
dbstore/BeamSpot 0a1b2c 0,0,-1,-1
dbstore/BeamSpot\t1f2e3d	7,10,7,20   # refit

dbstore/CDCTimeZeros 12 7,0,7,-1
dbstore/CDCTimeZeros 13 7,15,8,3
dbstore/empty 1 -1,-1,-1,-1
dbstore/old 4 5,-1,5,-1
no_package 1 0,0,-1,-1
dbstore/no_iov 1
dbstore/bad 1 0, 1,2,3
dbstore/bad 1 3,0,2,0
dbstore/bad rev! 0,0,-1,-1
`;

const BY = { at: '2026-02-03T04:05:06Z', actor: 'physicist@desk' };

/** A directory with a database.txt and one Belle II payload file per revision, its content the revision. */
function source(text: string): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'database.txt'), text);
  for (const { name, revision } of parseDatabaseText(text, true).lines) {
    writeFileSync(join(directory, `dbstore_${name}_rev_${revision}.root`), revision);
  }
  return directory;
}

describe('reading database.txt', () => {
  it('tells every bad line when read strictly (T39)', () => {
    const { lines, errors, warnings } = parseDatabaseText(T39);
    expect(lines.map(({ line, name, revision, iov }) => `${line} ${name} ${revision} ${formatIov(iov)}`)).toEqual([
      '2 BeamSpot 0a1b2c 0,0,-1,-1',
      '3 BeamSpot 1f2e3d 7,10,7,20',
      '5 CDCTimeZeros 12 7,0,7,-1',
      '6 CDCTimeZeros 13 7,15,8,3',
    ]);
    expect(errors.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '7 CAF_IOV_EMPTY',
      '8 CAF_IOV_NEGATIVE',
      '9 CAF_DB_LINE',
      '10 CAF_DB_LINE',
      '11 CAF_DB_LINE',
      '12 CAF_IOV_ORDER',
      '13 CAF_DB_LINE',
    ]);
    expect(warnings).toEqual([]);
  });

  it('repairs what Belle II repairs when read leniently (T39)', () => {
    const { lines, errors, warnings } = parseDatabaseText(T39, true);
    expect(lines.map(({ line, iov }) => `${line} ${formatIov(iov)}`)).toEqual([
      '2 0,0,-1,-1',
      '3 7,10,7,20',
      '5 7,0,7,-1',
      '6 7,15,8,3',
      '8 5,0,5,-1',
    ]);
    expect(warnings.map(({ line }) => line)).toEqual([7, 8]);
    expect(errors.map(({ line }) => line)).toEqual([9, 10, 11, 12, 13]);
  });

  it('reads files with carriage returns', () => {
    expect(parseDatabaseText('dbstore/A 1 0,0,-1,-1\r\n\r\n').lines).toMatchObject([{ line: 1, name: 'A', revision: '1' }]);
  });

  it('imports nothing when any line is bad, and lists them all', async () => {
    const from = source(T39);
    const into = join(from, 'into');
    const failed = await importDatabase(join(from, 'database.txt'), into, BY).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(CafError);
    expect((failed as CafError).code).toBe('CAF_DB_LINE');
    expect((failed as CafError).problems.map(({ path }) => path.replace(/.*:/, ''))).toEqual(['7', '8', '9', '10', '11', '12', '13']);
    expect(existsSync(into)).toBe(false);
  });

  it('names the line of a payload file that is missing', async () => {
    const from = source('dbstore/A 1 0,0,-1,-1\n');
    writeFileSync(join(from, 'database.txt'), 'dbstore/A 1 0,0,-1,-1\ndbstore/B 2 0,0,-1,-1\n');
    const failed = (await importDatabase(from, join(from, 'into'), BY).catch((error: unknown) => error)) as CafError;
    expect(failed.problems).toEqual([
      { path: `${join(from, 'database.txt')}:2`, message: expect.stringMatching(/B_rev_2.*CAF_DB_PAYLOAD_MISSING/) },
    ]);
  });
});

describe('importing', () => {
  it('gives the views of the lines in order (T39)', async () => {
    const good = `${T39.split('\n').slice(0, 6).join('\n')}\n`;
    const from = source(good);
    const imported = await importDatabase(from, join(from, 'into'), BY);
    const contents = new Map(['0a1b2c', '1f2e3d', '12', '13'].map((text) => [sha256(text), text]));
    const shown = showDatabase(imported.directory);
    expect(shown.view.map(({ name, iov, sha256: hash }) => `${name} ${formatIov(iov)} ${contents.get(hash)}`)).toEqual([
      'BeamSpot 0,0,7,9 0a1b2c',
      'BeamSpot 7,10,7,20 1f2e3d',
      'BeamSpot 7,21,-1,-1 0a1b2c',
      'CDCTimeZeros 7,0,7,14 12',
      'CDCTimeZeros 7,15,8,3 13',
    ]);
    expect(openDatabase(imported.directory).transactions()).toMatchObject([{ ...BY, calibration: null }]);
    const exported = await exportDatabase(imported.directory, join(from, 'out'));
    const lines = readFileSync(join(exported.directory, 'database.txt'), 'utf8')
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    expect(lines).toEqual([
      'dbstore/BeamSpot 0a1b2c 0,0,-1,-1',
      'dbstore/BeamSpot 1f2e3d 7,10,7,20',
      'dbstore/CDCTimeZeros 12 7,0,7,-1',
      'dbstore/CDCTimeZeros 13 7,15,8,3',
      '',
    ]);
  });

  it('tells the lines it repaired', async () => {
    const from = source('dbstore/old 4 5,-1,5,-1\ndbstore/empty 1 -1,-1,-1,-1\n');
    const imported = await importDatabase(from, join(from, 'into'), { ...BY, lenient: true });
    expect(imported.warnings.map(({ line }) => line)).toEqual([1, 2]);
    expect(imported.entries).toBe(1);
  });

  it('does not share files with what it imported', async () => {
    const from = source('dbstore/A 1 0,0,-1,-1\n');
    const imported = await importDatabase(from, join(from, 'into'), BY);
    writeFileSync(join(from, 'dbstore_A_rev_1.root'), 'edited later');
    expect(readFileSync(join(imported.directory, 'A_rev_c4ca42.json'), 'utf8')).toBe('1');
  });
});

describe('a round trip', () => {
  it('keeps the lines, the content and the view (T44)', async () => {
    const bench = new Bench();
    await bench.publish('A', [
      ['p1', 'r2', '1,0,1,10'],
      ['p1', 'r3', '1,20,1,22'],
      ['p2', 'r1', '1,0,1,-1'],
    ]);
    await bench.publish('B', [
      ['p1', 'r1', '1,1,1,30'],
      ['p2', 'r2', '0,1,1,20'],
    ]);
    const flat = await flattenChain(bench.lock('A', 'B'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    await exportDatabase(flat.directory, join(bench.root, 'out'));
    const text = readFileSync(join(bench.root, 'out', 'database.txt'), 'utf8');
    expect(text.split('\n').filter((line) => line.startsWith('dbstore'))).toEqual([
      'dbstore/p1 d27918 1,0,1,10',
      'dbstore/p1 7c92cf 1,11,1,19',
      'dbstore/p1 9d3e62 1,20,1,22',
      'dbstore/p1 7c92cf 1,23,1,30',
      'dbstore/p2 d27918 0,1,0,-1',
      'dbstore/p2 7c92cf 1,0,1,-1',
    ]);
    expect(readdirSync(join(bench.root, 'out')).sort()).toEqual([
      'database.txt',
      'dbstore_p1_rev_7c92cf.root',
      'dbstore_p1_rev_9d3e62.root',
      'dbstore_p1_rev_d27918.root',
      'dbstore_p2_rev_7c92cf.root',
      'dbstore_p2_rev_d27918.root',
    ]);
    const back = await importDatabase(join(bench.root, 'out'), join(bench.root, 'back'), BY);
    expect([back.contentId, back.viewId]).toEqual([flat.contentId, flat.viewId]);
    await exportDatabase(back.directory, join(bench.root, 'out2'));
    const dbstore = (path: string) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('dbstore'));
    expect(dbstore(join(bench.root, 'out2', 'database.txt'))).toEqual(dbstore(join(bench.root, 'out', 'database.txt')));
  });

  it('keeps JSON values values, and never mixes an imported revision with a computed one', async () => {
    const directory = temporaryDirectory();
    const value = encodePayload({ mean: [1, 2] });
    // The computed revision of 'x' is 9dd4e4, which the other file already has as its name.
    writeFileSync(join(directory, 'dbstore_P_rev_9dd4e4.root'), value);
    writeFileSync(join(directory, 'dbstore_P_rev_7.root'), 'x');
    writeFileSync(join(directory, 'database.txt'), 'dbstore/P 9dd4e4 1,0,1,5\ndbstore/P 7 2,0,2,5\n');
    const imported = await importDatabase(directory, join(directory, 'into'), BY);
    const shown = openDatabase(imported.directory);
    expect(shown.entries().map(({ payload }) => payload.mediaType)).toEqual(['application/json', 'application/x-root']);
    shown.close();
    await exportDatabase(imported.directory, join(directory, 'out'));
    expect(readFileSync(join(directory, 'out', 'dbstore_P_rev_9dd4e4.root')).equals(value)).toBe(true);
    expect(readFileSync(join(directory, 'out', 'dbstore_P_rev_7.root'), 'utf8')).toBe('x');
  });

  it('refuses to export over something', async () => {
    const bench = new Bench();
    const { directory } = await bench.publish('db', [['A', 'a', '0,0,-1,-1']]);
    mkdirSync(join(bench.root, 'out'));
    writeFileSync(join(bench.root, 'out', 'mine'), '');
    expect(await codeOf(() => exportDatabase(directory, join(bench.root, 'out')))).toBe('CAF_DB_EXISTS');
  });
});
