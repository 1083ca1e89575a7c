// Belle II's SQLite file of a global tag: read-only as a member of a chain, imported, exported again; and nothing believed of it unseen.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeDatabase, openChain } from '../../src/database/chain.ts';
import { exportDatabase, importDatabase } from '../../src/database/exchange.ts';
import { flattenChain } from '../../src/database/flatten.ts';
import { openDatabase } from '../../src/database/open.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { formatIov, keysToIov } from '../../src/domain/iov.ts';
import { Bench, codeOf, sha256 } from './support.ts';

const BY = { at: '2026-02-03T04:05:06Z', actor: 'physicist@desk' };
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** `[global tag, name, revision, content, interval]`; the content `null` = the payload was not downloaded. */
type Iov = readonly [tag: string, name: string, revision: number, content: string, iov: readonly [number, number, number, number]];

/** As conditions_db/local_metadata.py of basf2 makes it. */
function writeDump(file: string, iovs: readonly Iov[], version = 1): void {
  const sqlite = new Database(file);
  sqlite.exec(`
    CREATE TABLE baseUrls (baseUrlId INTEGER PRIMARY KEY, baseUrl text UNIQUE);
    CREATE TABLE payloadNames (payloadNameId INTEGER PRIMARY KEY, payloadName TEXT UNIQUE);
    CREATE TABLE payloads (payloadId INTEGER PRIMARY KEY, payloadNameId INTEGER NOT NULL, revision INTEGER NOT NULL, checksum text NOT NULL,
      payloadUrl text DEFAULT NULL, baseUrlId INTEGER NOT NULL, CONSTRAINT name_rev UNIQUE (payloadNameId, revision));
    CREATE TABLE globaltags (globalTagId INTEGER PRIMARY KEY, globalTagName text UNIQUE, globalTagStatus text NOT NULL);
    CREATE TABLE iovs (globalTagId INTEGER NOT NULL, payloadId INTEGER NOT NULL, firstExp INTEGER NOT NULL, firstRun INTEGER NOT NULL,
      finalExp INTEGER NOT NULL, finalRun INTEGER NOT NULL);
    CREATE UNIQUE INDEX iov_index on iovs (globalTagId, firstExp, firstRun, finalExp, finalRun, payloadId);
    PRAGMA application_id = ${0xb2cdb}; PRAGMA user_version = ${version};
    INSERT INTO baseUrls VALUES (1, 'https://example.org');`);
  for (const [tag, name, revision, content, iov] of iovs) {
    sqlite.prepare("INSERT OR IGNORE INTO globaltags(globalTagName, globalTagStatus) VALUES (?, 'PUBLISHED')").run(tag);
    sqlite.prepare('INSERT OR IGNORE INTO payloadNames(payloadName) VALUES (?)').run(name);
    const nameId = sqlite.prepare('SELECT payloadNameId FROM payloadNames WHERE payloadName = ?').pluck().get(name);
    sqlite
      .prepare('INSERT OR IGNORE INTO payloads(payloadNameId, revision, checksum, baseUrlId) VALUES (?, ?, ?, 1)')
      .run(nameId, revision, md5(content));
    const payloadId = sqlite
      .prepare('SELECT payloadId FROM payloads WHERE payloadNameId = ? AND revision = ?')
      .pluck()
      .get(nameId, revision);
    const tagId = sqlite.prepare('SELECT globalTagId FROM globaltags WHERE globalTagName = ?').pluck().get(tag);
    sqlite.prepare('INSERT INTO iovs VALUES (?, ?, ?, ?, ?, ?)').run(tagId, payloadId, ...iov);
  }
  sqlite.close();
}

const T20: readonly Iov[] = [
  ['main', 'A', 1, 'A1', [0, 0, -1, -1]],
  ['main', 'A', 3, 'A3', [1, 0, 1, 10]],
  ['main', 'A', 2, 'A2', [1, 0, 1, 10]],
];

let bench: Bench;
let file: string;
beforeEach(() => {
  bench = new Bench();
  mkdirSync(join(bench.root, 'tag'), { recursive: true });
  file = join(bench.root, 'tag', 'metadata.sqlite');
});

/** Puts payloads where basf2 looks for them: hashed, flat, and by their path on the server, in turn. */
function download(iovs: readonly Iov[]): void {
  for (const [index, [, name, revision, content]] of iovs.entries()) {
    const flat = `dbstore_${name}_rev_${revision}.root`;
    const places = [join(md5(content).slice(0, 2), `${name}_r${revision}.root`), flat, join('dbstore', name, flat)];
    const path = join(bench.root, 'tag', places[index % 3]!);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
  }
}

describe('a global tag', () => {
  it('is a member of a chain, where its highest revision wins (T20)', async () => {
    writeDump(file, T20);
    download(T20);
    const before = readFileSync(file);
    await bench.publish('top', [['A', 'mine', '1,5,1,6']]);
    const chain = openChain({ v: 1, databases: [...bench.lock('top').databases, describeDatabase(file)] });
    const byHash = new Map(['A1', 'A2', 'A3', 'mine'].map((text) => [sha256(text), text]));
    expect(chain.materialise().map(({ lo, hi, payload }) => `${formatIov(keysToIov(lo, hi))} ${byHash.get(payload.sha256)}`)).toEqual([
      '0,0,0,-1 A1',
      '1,0,1,4 A3',
      '1,5,1,6 mine',
      '1,7,1,10 A3',
      '1,11,-1,-1 A1',
    ]);
    expect(chain.read(chain.lookup('A', [1, 7])!).toString()).toBe('A3');
    const flat = await flattenChain(chain.lock, { directory: join(bench.root, 'flat') });
    chain.close();
    expect(await verifyDatabase(flat.directory)).toMatchObject({ ok: true });
    expect(await verifyDatabase(file)).toMatchObject({ ok: true, entries: 3 });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('is chosen by name where a file holds several', async () => {
    const both: readonly Iov[] = [...T20, ['test', 'A', 1, 'A1', [5, 0, 5, 9]]];
    writeDump(file, both);
    download(both);
    expect(await codeOf(() => openDatabase(file))).toBe('CAF_DB_MISSING');
    expect(() => openDatabase(`${file}#nowhere`)).toThrow(/holds no global tag nowhere It has: main, test/);
    const database = openDatabase(`${file}#test`);
    expect(database.entries().map(({ lo, hi }) => formatIov(keysToIov(lo, hi)))).toEqual(['5,0,5,9']);
    database.close();
  });

  it('is imported with its revisions, which an export writes again', async () => {
    writeDump(file, T20);
    download(T20);
    const imported = await importDatabase(file, join(bench.root, 'db'), BY);
    expect(imported.viewId).toBe(describeDatabase(file).viewId);
    const { directory } = await exportDatabase(imported.directory, join(bench.root, 'out'));
    const lines = readFileSync(join(directory, 'database.txt'), 'utf8').split('\n');
    expect(lines.filter((line) => line.startsWith('dbstore'))).toEqual([
      'dbstore/A 1 0,0,-1,-1',
      'dbstore/A 2 1,0,1,10',
      'dbstore/A 3 1,0,1,10',
    ]);
  });

  it('with intervals that are none is refused with the rows, and repaired when lenient', async () => {
    const bad: readonly Iov[] = [...T20, ['main', 'B', 1, 'B1', [3, -1, 3, -1]], ['main', 'B', 2, 'B2', [-1, -1, -1, -1]]];
    writeDump(file, bad);
    download(bad);
    await expect(importDatabase(file, join(bench.root, 'db'), BY)).rejects.toMatchObject({
      code: 'CAF_DB_LINE',
      problems: [{ path: `${file}: iovs row 4` }, { path: `${file}: iovs row 5` }],
    });
    const imported = await importDatabase(file, join(bench.root, 'db'), { ...BY, lenient: true });
    expect(imported.warnings.map(({ line }) => line)).toEqual([4, 5]);
    expect(imported.entries).toBe(4);
  });

  it('with payloads that are missing or not what it names is refused', async () => {
    writeDump(file, T20);
    download(T20.slice(0, 2));
    expect(() => openDatabase(file)).toThrow(
      expect.objectContaining({
        problems: [{ path: `${file}: iovs row 3`, message: expect.stringMatching(/A_r2\.root.*PAYLOAD_MISSING/) }],
      }),
    );
    writeFileSync(join(bench.root, 'tag', 'dbstore_A_rev_2.root'), 'something else');
    expect(() => openDatabase(file)).toThrow(
      expect.objectContaining({
        problems: [{ path: `${file}: iovs row 3`, message: expect.stringMatching(/expected md5 .*PAYLOAD_CORRUPT/) }],
      }),
    );
  });

  it('of another schema, damaged, or leading out of its directory is refused', async () => {
    writeDump(file, T20, 2);
    download(T20);
    expect(await codeOf(() => openDatabase(file))).toBe('CAF_DB_NEWER');
    const other = join(bench.root, 'tag', 'other.sqlite');
    writeDump(other, T20);
    const bytes = readFileSync(other);
    writeFileSync(other, Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(bytes.length - 100, 0xff)]));
    expect(await codeOf(() => openDatabase(other))).toBe('CAF_DB_DAMAGED');
    const outside = join(bench.root, 'tag', 'outside.sqlite');
    writeDump(outside, [['main', 'Z', 9, 'secret', [0, 0, -1, -1]]]);
    writeFileSync(join(bench.root, 'secret'), 'secret');
    const sqlite = new Database(outside);
    sqlite.exec("UPDATE payloads SET payloadUrl = '../secret'");
    sqlite.close();
    expect(await codeOf(() => openDatabase(outside))).toBe('CAF_DB_LINE');
  });
});

describe('an export with numbers as revisions', () => {
  it('keeps the numbers it has, and counts on for each name', async () => {
    const directory = join(bench.root, 'text');
    mkdirSync(directory);
    for (const [revision, content] of [
      ['2', 'x'],
      ['abc', 'y'],
      ['7', 'z'],
      ['0f', 'w'],
    ] as const)
      writeFileSync(join(directory, `dbstore_P_rev_${revision}.root`), content);
    writeFileSync(
      join(directory, 'database.txt'),
      'dbstore/P abc 1,0,1,5\ndbstore/P 2 2,0,2,5\ndbstore/P 0f 3,0,3,5\ndbstore/P 7 4,0,4,5\ndbstore/P abc 5,0,5,5\n',
    );
    const imported = await importDatabase(directory, join(bench.root, 'db'), BY);
    const { directory: out } = await exportDatabase(imported.directory, join(bench.root, 'out'), { revisions: 'int' });
    const lines = readFileSync(join(out, 'database.txt'), 'utf8').split('\n');
    expect(lines.filter((line) => line.startsWith('dbstore'))).toEqual([
      'dbstore/P 1 1,0,1,5',
      'dbstore/P 2 2,0,2,5',
      'dbstore/P 3 3,0,3,5',
      'dbstore/P 7 4,0,4,5',
      'dbstore/P 1 5,0,5,5',
    ]);
    expect((await importDatabase(out, join(bench.root, 'back'), BY)).contentId).toBe(imported.contentId);
    expect(readFileSync(join(out, 'dbstore_P_rev_1.root'), 'utf8')).toBe('y');
  });
});
