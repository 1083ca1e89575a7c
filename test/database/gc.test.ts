// Garbage collection: what is found, what stays, and that nothing is touched when something cannot be read (condition T41).
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { collectGarbage, GRACE_MS } from '../../src/database/gc.ts';
import { nameVersion } from '../../src/database/names.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { findDatabaseDirectories } from '../../src/database/scan.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import { hasObject, objectPath } from '../../src/payloads/store.ts';
import { openForTest } from './journal-support.ts';
import { Bench, codeOf, sha256 } from './support.ts';

const LATER = { now: () => new Date(Date.now() + GRACE_MS + 60_000) };

async function store(): Promise<Bench> {
  const bench = new Bench();
  openForTest(bench.root).close();
  await bench.publish('db', [['A', 'keep', '0,0,-1,-1']]);
  bench.put('A', 'orphan');
  return bench;
}
const stored = ({ objects }: Bench, content: string): boolean => hasObject(objects, sha256(content), content.length);

describe('garbage collection', () => {
  it('lists exactly what nothing refers to, and touches nothing unless it is told to (T41)', async () => {
    const bench = await store();
    const { dead, kept, swept } = await collectGarbage(bench.root, { sweep: false, ...LATER });
    expect(dead.map((one) => one.sha256)).toEqual(['88f6811ab5d8fc6d3177f9b7609ae0fcebfda187e5046b62d38bb539e88b74d7']);
    expect([dead[0]?.size, kept, swept]).toEqual([6, { referenced: 1, young: 0 }, false]);
    expect(stored(bench, 'orphan')).toBe(true);
  });

  it('leaves what is younger than the grace period', async () => {
    const bench = await store();
    expect(await collectGarbage(bench.root, { sweep: true })).toMatchObject({ dead: [], kept: { referenced: 1, young: 1 } });
    expect(stored(bench, 'orphan')).toBe(true);
  });

  it('moves to the trash first, and deletes what lay there for the grace period', async () => {
    const bench = await store();
    await collectGarbage(bench.root, { sweep: true, ...LATER });
    expect([stored(bench, 'orphan'), stored(bench, 'keep')]).toEqual([false, true]);
    const trash = join(bench.objects, 'trash');
    const [day = ''] = readdirSync(trash);
    expect(existsSync(objectPath(join(trash, day), sha256('orphan')))).toBe(true);
    expect((await collectGarbage(bench.root, { sweep: true })).expired).toEqual([]);
    expect((await collectGarbage(bench.root, { sweep: true, ...LATER })).expired).toEqual([`objects/trash/${day}`]);
    expect(readdirSync(trash)).toEqual([]);
    expect((await verifyDatabase(join(bench.root, 'db'))).ok).toBe(true);
  });

  it('touches nothing when another caf took the directory over while it looked', async () => {
    const bench = await store();
    const takenOver = () => {
      const db = new Database(join(bench.root, 'caf.db'));
      db.prepare("UPDATE owner SET token = 'somebody else'").run();
      db.close();
      return LATER.now();
    };
    expect(await codeOf(() => collectGarbage(bench.root, { sweep: true, now: takenOver }))).toBe('CAF_LEASE_LOST');
    expect(stored(bench, 'orphan')).toBe(true);
  });

  it.each(['collector', 'algorithms', 'trash', 'pass.tmp-1'])('keeps what a calibration called %s needs', async (name) => {
    const bench = await store();
    const { directory } = await publishDatabase(bench.input([['A', 'named', '0,0,-1,-1']]), {
      directory: join(bench.root, name, '0', 'localdb'),
      objects: bench.objects,
    });
    expect(findDatabaseDirectories(bench.root)).toContain(directory);
    const { dead, kept } = await collectGarbage(bench.root, { sweep: true, ...LATER });
    expect([dead.length, kept.referenced, stored(bench, 'named')]).toEqual([1, 2, true]);
  });

  it('does not stumble over what is put in place while it looks', async () => {
    const bench = await store();
    // Listed, and not there when it is looked at.
    symlinkSync('gone', join(bench.objects, 'tmp-0123456789abcdef'));
    expect((await collectGarbage(bench.root, { sweep: false, ...LATER })).leftovers).toEqual([]);
  });

  it('keeps what databases elsewhere need that have a name, and what an interrupted campaign has queued', async () => {
    const bench = await store();
    const elsewhere = new Bench();
    const { directory } = await publishDatabase(bench.input([['A', 'named', '0,0,-1,-1']]), {
      directory: join(elsewhere.root, 'far'),
      objects: bench.objects,
    });
    await nameVersion(bench.root, { name: 'far', kind: 'tag', target: directory, note: '', actor: 'me', command: 'caf db tag' });
    const journal = openForTest(bench.root);
    const payload = bench.put('A', 'queued');
    journal.append({ kind: 'algorithm.started', calibration: 'gain', iteration: 0, algorithm: 'fit' });
    journal.append({
      kind: 'execution.finished',
      calibration: 'gain',
      iteration: 0,
      algorithm: 'fit',
      execution: { seq: 0, runs: [[1, 1]], iov: [1, 1, 1, 1], result: 'ok', seconds: 1, payloads: [payload], metadata: {}, error: null },
    });
    journal.close();
    const { dead, kept } = await collectGarbage(bench.root, { sweep: true, ...LATER });
    expect([dead.map((one) => one.sha256), kept.referenced]).toEqual([[sha256('orphan')], 3]);
    expect([stored(bench, 'named'), stored(bench, 'queued')]).toEqual([true, true]);
  });

  it('removes what killed writers left, once it is old', async () => {
    const bench = await store();
    const left = [join(bench.root, 'gain', '0', 'localdb.tmp-0123456789ab'), join(bench.objects, 'tmp-0123456789abcdef')];
    mkdirSync(left[0]!, { recursive: true });
    writeFileSync(left[1]!, 'half');
    expect((await collectGarbage(bench.root, { sweep: true })).leftovers).toEqual([]);
    for (const path of left) utimesSync(path, 1000, 1000);
    expect((await collectGarbage(bench.root, { sweep: true })).leftovers).toEqual([
      'objects/tmp-0123456789abcdef',
      'gain/0/localdb.tmp-0123456789ab',
    ]);
    expect(left.map((path) => existsSync(path))).toEqual([false, false]);
  });

  it('touches nothing while a campaign runs, or when one database cannot be read', async () => {
    const bench = await store();
    const journal = openForTest(bench.root);
    expect(await codeOf(() => collectGarbage(bench.root, { sweep: true, ...LATER }))).toBe('CAF_RESULTS_LOCKED');
    journal.close();
    rmSync(join(bench.root, 'db', 'conditions.sqlite'));
    rmSync(join(bench.root, 'db', 'database.txt'));
    expect(await codeOf(() => collectGarbage(bench.root, { sweep: true, ...LATER }))).toBe('CAF_DB_DAMAGED');
    expect(stored(bench, 'orphan')).toBe(true);
  });
});
