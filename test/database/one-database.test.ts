// One database: the last entry wins, payload rows and revisions, sealing (conditions T18 to T23, T30, T31, T34, T40, T43).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/database/open.ts';
import { publishDatabase, writeDraft } from '../../src/database/publish.ts';
import { CONDITIONS_SCHEMA } from '../../src/database/schema.ts';
import { formatIov, keysToIov } from '../../src/domain/iov.ts';
import { Bench, codeOf, sha256, transaction } from './support.ts';

const viewOf = (directory: string, name: string, contents: readonly string[]): string[] => {
  const database = openDatabase(directory);
  const view = database.view(name);
  database.close();
  const byHash = new Map(contents.map((content) => [sha256(content), content]));
  return (view?.payloads ?? []).map(({ sha256: hash }, i) => `${formatIov(keysToIov(view!.lo[i]!, view!.hi[i]!))} ${byHash.get(hash)}`);
};

describe('the view of one database', () => {
  it('takes the last entry that holds a run (T18)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'a1', '0,0,-1,-1'],
      ['A', 'a2', '1,0,1,10'],
      ['A', 'a3', '1,5,1,20'],
    ]);
    const chain = bench.chain('db');
    const found = [
      [0, 5],
      [1, 3],
      [1, 5],
      [1, 15],
      [1, 21],
      [2, 0],
    ].map(([e, r]) => chain.read(chain.lookup('A', [e!, r!])!).toString());
    chain.close();
    expect(found).toEqual(['a1', 'a2', 'a3', 'a3', 'a1', 'a1']);
    expect(viewOf(join(bench.root, 'db'), 'A', ['a1', 'a2', 'a3'])).toEqual(['0,0,0,-1 a1', '1,0,1,4 a2', '1,5,1,20 a3', '1,21,-1,-1 a1']);
  });

  it('keeps a shadowed entry as evidence (T19)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['B', 'b1', '1,0,1,5'],
      ['B', 'b2', '0,0,-1,-1'],
    ]);
    expect(viewOf(join(bench.root, 'db'), 'B', ['b1', 'b2'])).toEqual(['0,0,-1,-1 b2']);
    expect(openDatabase(join(bench.root, 'db')).entries()).toHaveLength(2);
  });

  it('follows the order of a global tag when its entries are sorted by revision (T20)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'A1', '0,0,-1,-1'],
      ['A', 'A2', '1,0,1,10'],
      ['A', 'A3', '1,0,1,10'],
    ]);
    expect(viewOf(join(bench.root, 'db'), 'A', ['A1', 'A2', 'A3'])).toEqual(['0,0,0,-1 A1', '1,0,1,10 A3', '1,11,-1,-1 A1']);
  });

  it('has no answer outside its intervals, and none for unknown names (T21)', async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'a', '1,0,1,5']]);
    const chain = bench.chain('db');
    expect(chain.lookup('A', [1, 6])).toBeNull();
    expect(chain.lookup('unknown', [1, 1])).toBeNull();
    chain.close();
  });

  it('joins neighbours with the same payload (T22, T23)', async () => {
    const bench = new Bench();
    await bench.publish('t22', [
      ['A', 'x', '1,0,1,4'],
      ['A', 'x', '1,5,1,9'],
    ]);
    await bench.publish('t23', [
      ['A', 'x', '1,0,1,-1'],
      ['A', 'x', '2,0,2,-1'],
      ['A', 'y', '3,0,3,-1'],
      ['A', 'x', '3,0,3,-1'],
    ]);
    expect(viewOf(join(bench.root, 't22'), 'A', ['x'])).toEqual(['1,0,1,9 x']);
    expect(viewOf(join(bench.root, 't23'), 'A', ['x', 'y'])).toEqual(['1,0,3,-1 x']);
    const chain = bench.chain('t22');
    expect(chain.lookup('A', [1, 7])).toMatchObject({ iov: [1, 5, 1, 9], effective: [1, 0, 1, 9] });
    chain.close();
  });

  it('never leaves a part between the last run of the domain and the end of its experiment', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'x', '0,0,-1,-1'],
      ['A', 'y', '1,0,1,4294967294'],
    ]);
    expect(viewOf(join(bench.root, 'db'), 'A', ['x', 'y'])).toEqual(['0,0,0,-1 x', '1,0,1,-1 y', '2,0,-1,-1 x']);
  });
});

describe('payloads in a database', () => {
  it('keeps identical bytes of one name once (T30)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'hello\n', '1,0,1,0'],
      ['A', 'hello\n', '1,7,1,9'],
    ]);
    const database = openDatabase(join(bench.root, 'db'));
    expect(database.entries().map(({ payload }) => [payload.sha256, payload.revision])).toEqual([
      ['5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03', 'b1946a'],
      ['5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03', 'b1946a'],
    ]);
    expect(new Set(database.entries().map(({ payload }) => payload)).size).toBe(1);
    database.close();
    expect(readdirSync(join(bench.root, 'db')).sort()).toEqual(['A_rev_b1946a.txt', 'VERSION', 'conditions.sqlite', 'database.txt']);
    expect(readFileSync(join(bench.root, 'db', 'database.txt'), 'utf8')).toBe('dbstore/A b1946a 1,0,1,0\ndbstore/A b1946a 1,7,1,9\n');
  });

  it('keeps the same bytes under two names as two rows and one object (T31)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'same', '1,0,1,0'],
      ['B', 'same', '1,0,1,0'],
    ]);
    const { ino } = statSync(join(bench.objects, sha256('same').slice(0, 2), sha256('same').slice(2)));
    const files = readdirSync(join(bench.root, 'db')).filter((file) => file.includes('_rev_'));
    expect(files).toHaveLength(2);
    expect(files.map((file) => statSync(join(bench.root, 'db', file)).ino)).toEqual([ino, ino]);
  });

  it('lengthens a revision until it is unique for its name (T34)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'c2166', '1,0,1,0'],
      ['A', 'c5093', '1,1,1,1'],
      ['B', 'c5093', '1,1,1,1'],
    ]);
    const database = openDatabase(join(bench.root, 'db'));
    expect(database.entries().map(({ payload }) => payload.revision)).toEqual(['7fcdd2', '7fcdd2d', '7fcdd2']);
    database.close();
  });

  it.each(['a/b', '', '.hidden', 'a b', 'a\n', 'x'.repeat(201), 'ä'])('refuses the name %j (T43)', async (name) => {
    const bench = new Bench();
    expect(await codeOf(() => bench.publish('db', [[name, 'x', '0,0,-1,-1']]))).toBe('CAF_PAYLOAD_NAME');
    expect(readdirSync(bench.root)).toEqual(['objects']);
  });

  it.each(['file.xml', 'CDC_T0+v2:x-1', '-v', 'x'.repeat(200)])('accepts the name %j (T43)', async (name) => {
    const bench = new Bench();
    await bench.publish('db', [[name, 'x', '0,0,-1,-1']]);
    const chain = bench.chain('db');
    expect(chain.read(chain.lookup(name, [3, 4])!).toString()).toBe('x');
    chain.close();
  });

  it('finds the right file when one name begins like another with its revision', async () => {
    const bench = new Bench();
    const md5 = '9dd4e4'; // of "x" it is 9dd4e4
    await bench.publish('db', [
      ['A', 'x', '0,0,-1,-1'],
      [`A_rev_${md5}.q`, 'y', '0,0,-1,-1'],
    ]);
    const chain = bench.chain('db');
    expect(chain.read(chain.lookup('A', [0, 0])!).toString()).toBe('x');
    expect(chain.read(chain.lookup(`A_rev_${md5}.q`, [0, 0])!).toString()).toBe('y');
    chain.close();
  });
});

describe('sealing and publishing', () => {
  it('refuses every change after the seal (T40)', async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'a', '0,0,-1,-1']]);
    const sqlite = new Database(readFileSync(join(bench.root, 'db', 'conditions.sqlite')));
    const change = (sql: string) => {
      try {
        sqlite.exec(sql);
        return 'changed';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(change('INSERT INTO iov SELECT 2, payload_id, name_id, lo, hi, tx FROM iov')).toBe('E_SEALED');
    expect(change('UPDATE iov SET lo = 1')).toBe('E_IMMUTABLE');
    expect(change('DELETE FROM iov')).toBe('E_IMMUTABLE');
    expect(change("UPDATE meta SET value = '0' WHERE key = 'sealed'")).toBe('E_SEALED');
    expect(change("DELETE FROM meta WHERE key = 'sealed'")).toBe('E_SEALED');
    expect(change('UPDATE seg SET payload_id = 2')).toBe('E_IMMUTABLE');
    expect(change('DELETE FROM payload')).toBe('E_IMMUTABLE');
    sqlite.close();
    expect(statSync(join(bench.root, 'db', 'conditions.sqlite')).mode & 0o777).toBe(0o444);
  });

  it('can be read with plain SQL', async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'a', '1,5,2,-1']]);
    const sqlite = new Database(join(bench.root, 'db', 'conditions.sqlite'), { readonly: true });
    expect(sqlite.prepare('SELECT seq, name, rev, first_exp, first_run, final_exp, final_run, tx FROM iov_text').all()).toEqual([
      { seq: 1, name: 'A', rev: '0cc175', first_exp: 1, first_run: 5, final_exp: 2, final_run: -1, tx: 1 },
    ]);
    expect(sqlite.pragma('application_id', { simple: true })).toBe(0x43414c42);
    expect(sqlite.pragma('user_version', { simple: true })).toBe(1);
    sqlite.close();
  });

  it('never overwrites a database, and leaves nothing behind when it refuses', async () => {
    const bench = new Bench();
    const first = await bench.publish('db', [['A', 'a', '0,0,-1,-1']]);
    expect(await codeOf(() => bench.publish('db', [['A', 'b', '0,0,-1,-1']]))).toBe('CAF_DB_EXISTS');
    expect(openDatabase(first.directory).versionId).toBe(first.versionId);
    expect(readdirSync(bench.root).sort()).toEqual(['db', 'objects']);
  });

  it('lets exactly one of two publishers win', async () => {
    const bench = new Bench();
    const outcomes = await Promise.allSettled([
      bench.publish('db', [['A', 'a', '0,0,-1,-1']]),
      bench.publish('db', [['A', 'b', '0,0,-1,-1']]),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(readdirSync(bench.root).sort()).toEqual(['db', 'objects']);
  });

  it('refuses payloads whose object is missing or has the wrong size', async () => {
    const bench = new Bench();
    const input = bench.input([['A', 'a', '0,0,-1,-1']]);
    const directory = join(bench.root, 'db');
    const [entry] = input.entries;
    const swapped = { ...input, entries: [{ ...entry!, payload: { ...entry!.payload, size: 7 } }] };
    expect(await codeOf(() => publishDatabase(swapped, { directory, objects: bench.objects }))).toBe('CAF_DB_PAYLOAD_CORRUPT');
    expect(await codeOf(() => publishDatabase(input, { directory, objects: join(bench.root, 'elsewhere') }))).toBe(
      'CAF_DB_PAYLOAD_MISSING',
    );
    expect(readdirSync(bench.root)).toEqual(['objects']);
  });

  it('publishes an empty database', async () => {
    const bench = new Bench();
    await publishDatabase(
      { entries: [], transactions: [], parents: [], chain: null },
      { directory: join(bench.root, 'db'), objects: bench.objects },
    );
    const chain = bench.chain('db');
    expect(chain.names()).toEqual([]);
    expect(chain.lock.databases[0]).toMatchObject({ contentId: sha256(''), viewId: sha256('') });
    chain.close();
  });

  it('writes a draft that is replaced by the next one and has no version', async () => {
    const bench = new Bench();
    const options = { directory: join(bench.root, 'draft'), objects: bench.objects };
    const first = await writeDraft(bench.input([['A', 'a', '0,0,-1,-1']]), options);
    const second = await writeDraft(bench.input([['A', 'b', '0,0,-1,-1']]), options);
    expect(second.contentId).not.toBe(first.contentId);
    expect(bench.lock('draft').databases[0]).toMatchObject({ versionId: null, contentId: second.contentId });
    expect(readdirSync(bench.root).sort()).toEqual(['draft', 'objects']);
    const chain = bench.chain('draft');
    expect(chain.read(chain.lookup('A', [0, 0])!).toString()).toBe('b');
    chain.close();
  });

  it('has the schema that localdb/schema documents', () => {
    expect(CONDITIONS_SCHEMA).toBe(readFileSync(join(import.meta.dirname, '../../localdb/schema/0001-conditions.sql'), 'utf8'));
  });
});

describe('identities', () => {
  it('tell commits, answers and events apart (T36)', async () => {
    const bench = new Bench();
    const v1 = await bench.publish('v1', [
      ['A', 'r', '1,0,1,4'],
      ['A', 'r', '1,5,1,9'],
    ]);
    const v2 = await bench.publish('v2', [['A', 'r', '1,0,1,9']]);
    const v3 = await bench.publish('v3', [['A', 'r', '1,0,1,9']]);
    expect(v1.viewId).toBe(v2.viewId);
    expect(v1.contentId).not.toBe(v2.contentId);
    expect([v3.contentId, v3.versionId]).toEqual([v2.contentId, v2.versionId]);
    const later = await publishDatabase(
      bench.input([['A', 'r', '1,0,1,9']], { transactions: [transaction({ at: '2027-01-01T00:00:00Z' })] }),
      {
        directory: join(bench.root, 'v4'),
        objects: bench.objects,
      },
    );
    expect(later.contentId).toBe(v2.contentId);
    expect(later.versionId).not.toBe(v2.versionId);
    expect(readFileSync(join(v2.directory, 'conditions.sqlite')).equals(readFileSync(join(v3.directory, 'conditions.sqlite')))).toBe(true);
  });

  it('are the documented hashes of the documented text', async () => {
    const bench = new Bench();
    const version = await bench.publish('db', [
      ['B', 'b', '0,0,-1,-1'],
      ['A', 'a', '1,5,1,-1'],
    ]);
    expect(version.contentId).toBe(sha256(`B ${sha256('b')} 0,0,-1,-1\nA ${sha256('a')} 1,5,1,-1\n`));
    expect(version.viewId).toBe(sha256(`A ${sha256('a')} 1,5,1,-1\nB ${sha256('b')} 0,0,-1,-1\n`));
    const provenance =
      '{"chain":null,"transactions":[{"actor":"physicist@login02","algorithm":"means","at":"2026-01-02T03:04:05.000Z","attempt":1,' +
      '"calibration":"pedestals","codeDigest":null,"collectorJob":null,"configDigest":null,"inputsDigest":null,"iteration":0,"message":""}]}';
    expect(version.versionId).toBe(sha256(`{"content":"${version.contentId}","parents":[],"provenance":${provenance}}`));
  });

  it('make a parent a part of its child (T29)', async () => {
    const bench = new Bench();
    const it0 = await bench.publish('it0', [['A', '0', '0,0,-1,-1']]);
    const parents = [{ role: 'previous', versionId: it0.versionId, locator: '../it0' }] as const;
    const it1 = await bench.publish('it1', [['A', '1', '1,0,1,5']], parents);
    const alone = await bench.publish('alone', [['A', '1', '1,0,1,5']]);
    expect(it1.versionId).not.toBe(alone.versionId);
    expect(openDatabase(it1.directory).parents()).toEqual(parents);
    const both = bench.chain('it1', 'it0');
    expect(both.lookup('A', [1, 3])?.label).toBe('it1');
    expect(both.lookup('A', [1, 6])?.label).toBe('it0');
    both.close();
    const single = bench.chain('it1');
    expect(single.lookup('A', [1, 6])).toBeNull();
    single.close();
  });
});
