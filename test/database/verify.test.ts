// Verification finds every kind of damage and tells where; diff, log and show answer in their shapes.
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { flattenChain } from '../../src/database/flatten.ts';
import { diffDatabases, getPayload, logDatabase, showChain, showDatabase } from '../../src/database/queries.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { Bench, codeOf, type Row, sha256, temporaryDirectory } from './support.ts';

const ROWS: Row[] = [
  ['A', 'good', '0,0,-1,-1'],
  ['A', 'better', '1,5,1,9'],
  ['B', 'fine', '3,0,3,-1'],
];

/** A database that may be damaged: copied, so that no file is shared. */
async function copied(): Promise<{ readonly directory: string; edit(file: string, change: (bytes: Buffer) => Buffer | string): void }> {
  const bench = new Bench();
  const base = await bench.publish('base', [['A', 'old', '0,0,-1,-1']]);
  const flat = await flattenChain(bench.lock('base'), { directory: join(bench.root, 'flat') });
  void base;
  const published = await bench.publish('db', ROWS, [{ role: 'previous', versionId: flat.versionId, locator: 'flat' }]);
  const directory = join(temporaryDirectory(), 'db');
  cpSync(published.directory, directory, { recursive: true });
  return {
    directory,
    edit(file, change) {
      const path = join(directory, file);
      chmodSync(path, 0o644);
      writeFileSync(path, change(readFileSync(path)));
    },
  };
}

const levels = async (directory: string): Promise<number[]> => [
  ...new Set((await verifyDatabase(directory)).problems.map(({ level }) => level)),
];

describe('verifying', () => {
  it('finds a sound database sound, wherever it is copied', async () => {
    const { directory } = await copied();
    expect(await verifyDatabase(directory)).toMatchObject({ ok: true, entries: 3, payloads: 3, read: 3, problems: [] });
    expect(await verifyDatabase(directory, { readData: false })).toMatchObject({ ok: true, read: 0 });
    const parts = await Promise.all([1, 2].map((part) => verifyDatabase(directory, { readData: { part, of: 2 } })));
    expect(parts.map(({ read }) => read)).toEqual([2, 1]);
  });

  it('lists exactly the payload whose bytes changed (T32)', async () => {
    const { directory, edit } = await copied();
    const file = readdirSync(directory).find((name) => name.startsWith('A_rev') && readFileSync(join(directory, name), 'utf8') === 'good')!;
    edit(file, () => 'gOod');
    expect((await verifyDatabase(directory)).problems).toEqual([
      { level: 6, path: join(directory, file), what: 'SHA-256', expected: sha256('good'), actual: sha256('gOod') },
    ]);
    expect((await verifyDatabase(directory, { readData: false })).ok).toBe(true);
  });

  it('finds a payload file that is missing or has another size', async () => {
    const { directory, edit } = await copied();
    const [file, other] = readdirSync(directory).filter((name) => name.startsWith('A_rev'));
    rmSync(join(directory, file!));
    edit(other!, () => 'much longer than it was');
    expect((await verifyDatabase(directory)).problems.map(({ level, actual }) => `${level} ${actual}`)).toEqual([
      '5 missing',
      '5 23 bytes',
      `6 ${sha256('much longer than it was')}`,
    ]);
  });

  it('finds every single flipped bit of the image, VERSION and database.txt that it is shown', async () => {
    const { directory, edit } = await copied();
    for (const file of ['conditions.sqlite', 'VERSION', 'database.txt']) {
      const original = readFileSync(join(directory, file));
      const step = Math.max(1, Math.floor(original.length / 40));
      for (let at = 0; at < original.length; at += step) {
        edit(file, () => {
          const flipped = Buffer.from(original);
          flipped[at] = (flipped[at] ?? 0) ^ 1;
          return flipped;
        });
        expect((await verifyDatabase(directory)).ok, `${file} byte ${at}`).toBe(false);
      }
      edit(file, () => original);
    }
    expect((await verifyDatabase(directory)).ok).toBe(true);
  });

  it('recomputes what an editor of the image could not fake without knowing', async () => {
    const { directory, edit } = await copied();
    const forge = (sql: string) =>
      edit('conditions.sqlite', (bytes) => {
        const sqlite = new Database(bytes);
        const triggers = sqlite
          .prepare<[], { name: string; sql: string }>("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
          .all();
        for (const { name } of triggers) sqlite.exec(`DROP TRIGGER ${name}`);
        sqlite.exec(sql);
        for (const trigger of triggers) sqlite.exec(trigger.sql);
        const edited = sqlite.serialize();
        sqlite.close();
        return edited;
      });
    const original = readFileSync(join(directory, 'conditions.sqlite'));
    forge('UPDATE seg SET hi = hi - 1 WHERE lo = 0');
    expect(await levels(directory)).toEqual([0, 2, 3]);
    edit('conditions.sqlite', () => original);
    forge('UPDATE iov SET hi = 4294967301 WHERE seq = 2');
    expect(await levels(directory)).toEqual([0, 2, 3, 4]);
    edit('conditions.sqlite', () => original);
    forge("UPDATE txn SET actor = 'somebody@else'");
    expect(await levels(directory)).toEqual([0, 2]);
    edit('conditions.sqlite', () => original);
    forge('PRAGMA foreign_keys = OFF; DELETE FROM name WHERE name_id = 2');
    expect((await levels(directory)).slice(0, 2)).toEqual([0, 1]);
  });

  it('compares the lock file beside a flattened database', async () => {
    const bench = new Bench();
    await bench.publish('base', [['A', 'a', '0,0,-1,-1']]);
    const { directory } = await flattenChain(bench.lock('base'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    expect((await verifyDatabase(directory)).ok).toBe(true);
    const lock = join(directory, 'chain.lock.json');
    chmodSync(lock, 0o644);
    writeFileSync(lock, readFileSync(lock, 'utf8').replace(/"viewId": "./, '"viewId": "_'));
    expect((await verifyDatabase(directory)).problems).toMatchObject([{ level: 2, path: lock, what: 'digest of the chain' }]);
    rmSync(lock);
    expect((await verifyDatabase(directory)).problems).toMatchObject([{ level: 2, actual: 'missing' }]);
  });

  it('tells what is wrong with a file that is no image, and with a bad text database', async () => {
    const { directory, edit } = await copied();
    edit('conditions.sqlite', (bytes) => bytes.subarray(0, 4096));
    expect((await verifyDatabase(directory)).problems).toMatchObject([{ actual: expect.stringMatching(/damaged/) }]);
    const text = temporaryDirectory();
    writeFileSync(join(text, 'database.txt'), 'dbstore/A 1 0,0,-1,-1\n');
    expect((await verifyDatabase(text)).problems).toMatchObject([{ level: 4, path: `${join(text, 'database.txt')}:1` }]);
    expect(await codeOf(() => verifyDatabase(join(text, 'nothing')))).toBe('CAF_DB_MISSING');
  });
});

describe('asking', () => {
  it('compares by interval, not by entry (T35, T36)', async () => {
    const bench = new Bench();
    const at = (label: string) => join(bench.root, label);
    await bench.publish('v1', [['A', 'r1', '0,0,-1,-1']]);
    await bench.publish('v2', [
      ['A', 'r1', '0,0,-1,-1'],
      ['A', 'r2', '1,5,1,9'],
    ]);
    await bench.publish('z', [['B', 'z', '0,0,0,-1']]);
    await bench.publish('split', [
      ['A', 'r1', '0,0,1,4'],
      ['A', 'r1', '1,5,-1,-1'],
    ]);
    await bench.publish('empty', []);
    expect(diffDatabases(at('v1'), at('v2'))).toEqual({
      v: 1,
      changes: [{ name: 'A', iov: [1, 5, 1, 9], from: sha256('r1'), to: sha256('r2') }],
    });
    expect(diffDatabases(at('empty'), at('z')).changes).toEqual([{ name: 'B', iov: [0, 0, 0, -1], from: null, to: sha256('z') }]);
    expect(diffDatabases(at('z'), at('empty')).changes).toEqual([{ name: 'B', iov: [0, 0, 0, -1], from: sha256('z'), to: null }]);
    expect(diffDatabases(at('v1'), at('split')).changes).toEqual([]);
    expect(diffDatabases(at('v1'), at('v1')).changes).toEqual([]);
  });

  it('shows entries and view in the agreed shape', async () => {
    const bench = new Bench();
    const published = await bench.publish('db', ROWS);
    expect(showDatabase(bench.root.concat('/db'))).toEqual({
      v: 1,
      versionId: published.versionId,
      contentId: published.contentId,
      viewId: published.viewId,
      state: 'committed',
      entries: [
        {
          seq: 1,
          name: 'A',
          iov: [0, 0, -1, -1],
          revision: '755f85',
          sha256: sha256('good'),
          size: 4,
          madeBy: { calibration: 'pedestals', algorithm: 'means', iteration: 0 },
        },
        {
          seq: 2,
          name: 'A',
          iov: [1, 5, 1, 9],
          revision: expect.any(String),
          sha256: sha256('better'),
          size: 6,
          madeBy: expect.any(Object),
        },
        {
          seq: 3,
          name: 'B',
          iov: [3, 0, 3, -1],
          revision: expect.any(String),
          sha256: sha256('fine'),
          size: 4,
          madeBy: expect.any(Object),
        },
      ],
      view: [
        { name: 'A', iov: [0, 0, 1, 4], sha256: sha256('good') },
        { name: 'A', iov: [1, 5, 1, 9], sha256: sha256('better') },
        { name: 'A', iov: [1, 10, -1, -1], sha256: sha256('good') },
        { name: 'B', iov: [3, 0, 3, -1], sha256: sha256('fine') },
      ],
    });
  });

  it('gets a payload, or says where it looked (T21)', async () => {
    const bench = new Bench();
    const { directory } = await bench.publish('db', ROWS);
    expect(getPayload(directory, 'A', [1, 7]).bytes.toString()).toBe('better');
    expect(() => getPayload(directory, 'B', [1, 7])).toThrow(
      expect.objectContaining({ code: 'CAF_DB_NOT_FOUND', message: expect.stringMatching(/B.*experiment 1, run 7.*db/) }),
    );
  });

  it('logs who made the entries and on top of what', async () => {
    const { directory } = await copied();
    expect(logDatabase(directory)).toMatchObject({
      v: 1,
      state: 'committed',
      createdAt: '2026-01-02T03:04:05.000Z',
      parents: [{ role: 'previous', locator: 'flat' }],
      transactions: [{ actor: 'physicist@login02', calibration: 'pedestals', entries: 3 }],
    });
  });

  it('shows the chain and what became of its members', async () => {
    const bench = new Bench();
    for (const label of ['a', 'b', 'c']) await bench.publish(label, [['A', label, '0,0,-1,-1']]);
    const { directory } = await flattenChain(bench.lock('a', 'b', 'c'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    rmSync(join(bench.root, 'b'), { recursive: true });
    rmSync(join(bench.root, 'c'), { recursive: true });
    await bench.publish('c', [['A', 'other', '0,0,-1,-1']]);
    expect(showChain(directory).databases.map(({ label, found }) => [label, found])).toEqual([
      ['a', 'as locked'],
      ['b', 'missing'],
      ['c', 'another version'],
    ]);
    expect(await codeOf(() => showChain(join(bench.root, 'a')))).toBe('CAF_DB_MISSING');
  });
});
