// Chains: who answers, on which interval, flattened or not (conditions T24 to T29, T42's neighbours), and lock checks.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeDatabase, openChain, viewIdOfSegments } from '../../src/database/chain.ts';
import { flattenChain, writeConditionsDirectory } from '../../src/database/flatten.ts';
import { openDatabase } from '../../src/database/open.ts';
import { publishDatabase, writeDraft } from '../../src/database/publish.ts';
import { contains, formatIov, type Iov, keysToIov, parseIov, type Run } from '../../src/domain/iov.ts';
import { Bench, codeOf, type Row, sha256, temporaryDirectory, transaction } from './support.ts';

const T26: Record<'A' | 'B', Row[]> = {
  A: [
    ['p1', 'r2', '1,0,1,10'],
    ['p1', 'r3', '1,20,1,22'],
    ['p2', 'r1', '1,0,1,-1'],
  ],
  B: [
    ['p1', 'r1', '1,1,1,30'],
    ['p2', 'r2', '0,1,1,20'],
  ],
};

const t26 = async (): Promise<Bench> => {
  const bench = new Bench();
  await bench.publish('A', T26.A);
  await bench.publish('B', T26.B);
  return bench;
};

describe('lookup in a chain', () => {
  it('clips the effective interval by every higher database (T24)', async () => {
    const bench = new Bench();
    await bench.publish('top', [['A', 't1', '1,0,1,10']]);
    await bench.publish('base', [
      ['A', 'b1', '0,0,-1,-1'],
      ['B', 'b2', '0,0,-1,-1'],
    ]);
    const chain = bench.chain('top', 'base');
    const at = (name: string, run: Run) => {
      const answer = chain.lookup(name, run)!;
      return [chain.read(answer).toString(), answer.label, formatIov(answer.iov), formatIov(answer.effective)];
    };
    expect(at('A', [1, 5])).toEqual(['t1', 'top', '1,0,1,10', '1,0,1,10']);
    expect(at('A', [1, 11])).toEqual(['b1', 'base', '0,0,-1,-1', '1,11,-1,-1']);
    expect(at('A', [0, 3])).toEqual(['b1', 'base', '0,0,-1,-1', '0,0,0,-1']);
    expect(at('B', [7, 7])).toEqual(['b2', 'base', '0,0,-1,-1', '0,0,-1,-1']);
    expect(chain.names()).toEqual(['A', 'B']);
    expect(chain.lookup('A', [1, 5])?.madeBy).toEqual({ calibration: 'pedestals', algorithm: 'means', iteration: 0 });
    chain.close();
  });

  it('knows nothing above the last experiment: what ends there is open, and the chain can be flattened', async () => {
    const bench = new Bench();
    await bench.publish('top', [['A', 't', '3,0,1048575,-1']]);
    await bench.publish('base', [['A', 'b', '0,0,-1,-1']]);
    expect(bench.view(['top', 'base'], ['t', 'b'])).toEqual(['A 0,0,2,-1 b base', 'A 3,0,-1,-1 t top']);
    const flat = await flattenChain(bench.lock('top', 'base'), { directory: join(bench.root, 'flat') });
    expect(flat.entries).toBe(2);
  });

  it('goes through previous, ancestors, user and base in order (T25)', async () => {
    const bench = new Bench();
    await bench.publish('prev', [['A', 'prev', '3,0,-1,-1']]);
    await bench.publish('dep', [['A', 'dep', '2,0,-1,-1']]);
    await bench.publish('user', [['A', 'user', '1,0,-1,-1']]);
    await bench.publish('gt', [['A', 'gt', '0,0,-1,-1']]);
    const chain = bench.chain('prev', 'dep', 'user', 'gt');
    expect([0, 1, 2, 3, 9].map((e) => chain.lookup('A', [e, 0])?.label)).toEqual(['gt', 'user', 'dep', 'prev', 'prev']);
    chain.close();
  });

  it('names the payload by the entry that really wins, also inside a joined segment', async () => {
    const bench = new Bench();
    const input = bench.input([
      ['A', 'x', '0,0,-1,-1'],
      ['A', 'x', '1,5,1,9'],
    ]);
    const transactions = [transaction(), transaction({ algorithm: 'refit', iteration: 3 })];
    const entries = [input.entries[0]!, { ...input.entries[1]!, transaction: 1 }];
    await publishDatabase({ ...input, entries, transactions }, { directory: join(bench.root, 'db'), objects: bench.objects });
    const chain = bench.chain('db');
    expect(chain.lookup('A', [1, 7])).toMatchObject({
      iov: [1, 5, 1, 9],
      effective: [0, 0, -1, -1],
      madeBy: { algorithm: 'refit', iteration: 3 },
    });
    expect(chain.lookup('A', [1, 4])).toMatchObject({ iov: [0, 0, -1, -1], madeBy: { algorithm: 'means', iteration: 0 } });
    chain.close();
  });
});

describe('a materialised chain', () => {
  it('equals the documented merge of Belle II (T26)', async () => {
    const bench = await t26();
    expect(bench.view(['A', 'B'], ['r1', 'r2', 'r3'])).toEqual([
      'p1 1,0,1,10 r2 A',
      'p1 1,11,1,19 r1 B',
      'p1 1,20,1,22 r3 A',
      'p1 1,23,1,30 r1 B',
      'p2 0,1,0,-1 r2 B',
      'p2 1,0,1,-1 r1 A',
    ]);
  });

  it('is clipped to a range of runs (T27)', async () => {
    const bench = await t26();
    expect(bench.view(['A', 'B'], ['r1', 'r2', 'r3'], '1,0,1,21')).toEqual([
      'p1 1,0,1,10 r2 A',
      'p1 1,11,1,19 r1 B',
      'p1 1,20,1,21 r3 A',
      'p2 1,0,1,21 r1 A',
    ]);
  });

  it('flattens into a database with the same view, its provenance and its parents', async () => {
    const bench = await t26();
    const lock = bench.lock('A', 'B');
    const flat = await flattenChain(lock, { directory: join(bench.root, 'flat'), objects: bench.objects });
    const chain = openChain(lock);
    expect(flat.viewId).toBe(viewIdOfSegments(chain.materialise()));
    chain.close();
    const database = openDatabase(flat.directory);
    expect(database.parents()).toEqual([
      { role: 'merge', versionId: lock.databases[0]!.versionId, locator: '../A' },
      { role: 'merge', versionId: lock.databases[1]!.versionId, locator: '../B' },
    ]);
    expect(database.transactions().map(({ message, calibration }) => [message, calibration])).toEqual([
      [`from A, version ${lock.databases[0]!.versionId}`, 'pedestals'],
      [`from B, version ${lock.databases[1]!.versionId}`, 'pedestals'],
    ]);
    database.close();
    expect(JSON.parse(readFileSync(join(flat.directory, 'chain.lock.json'), 'utf8'))).toEqual(lock);
    const again = await flattenChain(lock, { directory: join(bench.root, 'again') });
    expect([again.contentId, again.versionId]).toEqual([flat.contentId, flat.versionId]);
    const clipped = await flattenChain(lock, { directory: join(bench.root, 'clipped'), range: parseIov('1,0,1,21') });
    expect(clipped.entries).toBe(4);
  });

  it('joins neighbours with equal bytes of different databases in the flattened view', async () => {
    const bench = new Bench();
    await bench.publish('top', [['A', 'x', '1,0,1,4']]);
    await bench.publish('base', [['A', 'x', '1,5,1,9']]);
    const flat = await flattenChain(bench.lock('top', 'base'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    const single = await bench.publish('single', [['A', 'x', '1,0,1,9']]);
    expect(flat.viewId).toBe(single.viewId);
    expect(flat.entries).toBe(2);
  });

  it('keeps who made what through flattening, also where neighbours carry the same payload', async () => {
    const bench = new Bench();
    const input = bench.input([
      ['A', 'x', '0,0,-1,-1'],
      ['A', 'x', '1,5,1,9'],
      ['A', 'x', '1,8,1,12'],
    ]);
    const transactions = [transaction(), transaction({ algorithm: 'refit', iteration: 3 })];
    const entries = input.entries.map((entry, index) => ({ ...entry, transaction: Math.min(index, 1) }));
    await publishDatabase({ ...input, entries, transactions }, { directory: join(bench.root, 'db'), objects: bench.objects });
    await flattenChain(bench.lock('db'), { directory: join(bench.root, 'once') });
    const { entries: count } = await flattenChain(bench.lock('once'), { directory: join(bench.root, 'twice'), range: [1, 0, -1, -1] });
    expect(count).toBe(3);
    const chain = bench.chain('twice');
    const makers = [4, 5, 12, 13].map((run) => chain.lookup('A', [1, run])?.madeBy?.algorithm);
    expect(makers).toEqual(['means', 'refit', 'refit', 'means']);
    expect(chain.lookup('A', [1, 5])?.effective).toEqual([1, 0, -1, -1]);
    chain.close();
  });

  it('refuses to flatten a draft', async () => {
    const bench = new Bench();
    await writeDraft(bench.input([['A', 'a', '0,0,-1,-1']]), { directory: join(bench.root, 'draft'), objects: bench.objects });
    expect(await codeOf(() => flattenChain(bench.lock('draft'), { directory: join(bench.root, 'flat') }))).toBe('CAF_DB_DRAFT');
    expect(existsSync(join(bench.root, 'flat'))).toBe(false);
  });

  it.each([
    { fewest: 3, most: 3, numRuns: 60 },
    { fewest: 1, most: 6, numRuns: 25 },
  ])(
    'answers like brute force, alone and flattened, for random chains of $fewest to $most databases (T28)',
    async ({ fewest, most, numRuns }) => {
      const run = fc.tuple(fc.nat(7), fc.nat(13));
      const end = fc.constantFrom('run', 'experiment', 'forever');
      const interval = fc.tuple(run, run, end).map(([[e, r], [f, s], kind]): Iov => {
        if (kind === 'forever') return [e, r, -1, -1];
        if (kind === 'experiment') return [e, r, Math.max(e, f), -1];
        return e < f || (e === f && r <= s) ? [e, r, f, s] : [f, s, e, r];
      });
      const entry = fc.tuple(fc.constantFrom('A', 'B'), fc.constantFrom('x', 'y', 'z'), interval);
      const databases = fc.array(fc.array(entry, { minLength: 1, maxLength: 6 }), { minLength: fewest, maxLength: most });
      await fc.assert(
        fc.asyncProperty(databases, async (chainRows) => {
          const bench = new Bench();
          const labels = chainRows.map((_, index) => `db${index}`);
          for (const [index, rows] of chainRows.entries()) await bench.publish(labels[index]!, rows);
          const lock = bench.lock(...labels);
          const flat = await flattenChain(lock, { directory: join(bench.root, 'flat'), objects: bench.objects });
          const chain = openChain(lock);
          const flattened = bench.chain('flat');
          expect(flat.viewId).toBe(viewIdOfSegments(chain.materialise()));
          for (const name of ['A', 'B']) {
            for (let e = 0; e < 8; e++) {
              for (let r = 0; r < 14; r++) {
                const bestOf = (rows: readonly Row[]) => rows.findLast(([n, , iov]) => n === name && contains(iov as Iov, [e, r]));
                const layer = chainRows.findIndex((rows) => bestOf(rows) !== undefined);
                const expected = layer === -1 ? undefined : bestOf(chainRows[layer]!);
                const answer = chain.lookup(name, [e, r]);
                expect(answer?.sha256).toBe(expected && sha256(expected[1]));
                expect(flattened.lookup(name, [e, r])?.sha256).toBe(answer?.sha256);
                if (answer === null || expected === undefined) continue;
                expect(answer.label).toBe(`db${layer}`);
                expect(answer.iov).toEqual(expected[2]);
                expect(contains(answer.effective, [e, r])).toBe(true);
                for (const probe of [answer.effective.slice(0, 2), answer.effective.slice(2)] as unknown as Run[]) {
                  if (probe[0] < 0 || probe[1] < 0) continue;
                  expect(chain.lookup(name, probe)).toMatchObject({
                    sha256: answer.sha256,
                    label: answer.label,
                    effective: answer.effective,
                  });
                }
              }
            }
          }
          // Clipped to a range, a chain gives the same answers inside and none outside.
          const clipped = chain.materialise([2, 3, 5, 7]);
          for (const [e, r] of [
            [2, 2],
            [2, 3],
            [3, 0],
            [3, 13],
            [5, 7],
            [5, 8],
            [7, 0],
          ] as Run[]) {
            const held = clipped.find(({ name, lo, hi }) => name === 'A' && contains(keysToIov(lo, hi), [e, r]));
            expect(held?.payload.sha256).toBe(contains([2, 3, 5, 7], [e, r]) ? chain.lookup('A', [e, r])?.sha256 : undefined);
          }
          const segments = chain.segments().map(({ name, iov }) => [name, iov] as const);
          for (const [index, [name, iov]] of segments.entries()) {
            const before = segments[index - 1];
            if (before?.[0] === name) expect(contains(before[1], [iov[0], iov[1]])).toBe(false);
          }
          chain.close();
          flattened.close();
          rmSync(bench.root, { recursive: true });
        }),
        { numRuns },
      );
    },
  );
});

describe('the lock of a chain', () => {
  it('refuses a database that is not the locked version', async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'a', '0,0,-1,-1']]);
    const lock = bench.lock('db');
    renameSync(join(bench.root, 'db'), join(bench.root, 'old'));
    await bench.publish('db', [['A', 'b', '0,0,-1,-1']]);
    const chain = openChain(lock);
    expect(await codeOf(() => chain.lookup('A', [0, 0]))).toBe('CAF_DB_VERSION_MISMATCH');
  });

  it('opens members only when they are asked', async () => {
    const bench = new Bench();
    await bench.publish('top', [['A', 'a', '0,0,-1,-1']]);
    const [top] = bench.lock('top').databases;
    const chain = openChain({ v: 1, databases: [top!, { ...top!, label: 'gone', path: join(bench.root, 'gone') }] });
    expect(chain.lookup('A', [0, 0])?.label).toBe('top');
    expect(await codeOf(() => chain.lookup('B', [0, 0]))).toBe('CAF_DB_MISSING');
    chain.close();
  });

  it('takes a database in text form as a member, with ids computed the same way', async () => {
    const bench = new Bench();
    const published = await bench.publish('db', T26.B);
    const text = join(bench.root, 'text');
    mkdirSync(text);
    for (const file of readdirSync(published.directory)) {
      if (file === 'database.txt' || file.includes('_rev_')) cpSync(join(published.directory, file), join(text, file));
    }
    const member = describeDatabase(text, 'base');
    expect(member).toMatchObject({
      contentId: published.contentId,
      viewId: published.viewId,
      versionId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const chain = openChain({ v: 1, databases: [member] });
    expect(chain.read(chain.lookup('p2', [1, 20])!).toString()).toBe('r2');
    expect(chain.lookup('p1', [1, 31])).toBeNull();
    chain.close();
    const flat = await flattenChain({ v: 1, databases: [member] }, { directory: join(bench.root, 'flat') });
    expect(flat.viewId).toBe(published.viewId);
    const file = readdirSync(text).find((name) => name.startsWith('p1'))!;
    chmodSync(join(text, file), 0o644);
    writeFileSync(join(text, file), 'rX');
    const changed = openChain({ v: 1, databases: [member] });
    expect(await codeOf(() => changed.lookup('p1', [1, 1]))).toBe('CAF_DB_VERSION_MISMATCH');
  });

  it('labels a database by where it lies', async () => {
    const bench = new Bench();
    mkdirSync(join(bench.root, 'gain', '2'), { recursive: true });
    await bench.publish('gain/2/localdb', [['A', 'a', '0,0,-1,-1']]);
    expect(describeDatabase(join(bench.root, 'gain/2')).label).toBe('gain/2');
    expect(describeDatabase(join(bench.root, 'gain/2/localdb/conditions.sqlite')).path).toBe(join(bench.root, 'gain/2/localdb'));
  });
});

describe('reading payloads', () => {
  it('finds corrupted bytes and leaves others readable (T32)', async () => {
    const bench = new Bench();
    await bench.publish('db', [
      ['A', 'good', '0,0,-1,-1'],
      ['B', 'fine', '0,0,-1,-1'],
    ]);
    const object = join(bench.objects, '77', '0e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c');
    chmodSync(object, 0o644);
    writeFileSync(object, 'gOod');
    const chain = bench.chain('db');
    expect(() => chain.read(chain.lookup('A', [0, 0])!)).toThrow(
      expect.objectContaining({
        code: 'CAF_DB_PAYLOAD_CORRUPT',
        message: expect.stringMatching(new RegExp(`expected SHA-256 ${sha256('good')}, found ${sha256('gOod')}`)),
      }),
    );
    expect(chain.read(chain.lookup('B', [0, 0])!).toString()).toBe('fine');
    chain.close();
  });

  it('says when bytes are missing, unless the object store has them (T33)', async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'good', '0,0,-1,-1']]);
    const chain = bench.chain('db');
    const answer = chain.lookup('A', [0, 0])!;
    rmSync(answer.file);
    expect(await codeOf(() => chain.read(answer))).toBe('CAF_DB_PAYLOAD_MISSING');
    chain.close();
    const withStore = openChain(bench.lock('db'), { objects: bench.objects });
    expect(withStore.read(answer).toString()).toBe('good');
    rmSync(bench.objects, { recursive: true });
    expect(await codeOf(() => withStore.read(answer))).toBe('CAF_DB_PAYLOAD_MISSING');
    withStore.close();
  });
});

describe('opening a database', () => {
  const opened = async () => {
    const bench = new Bench();
    await bench.publish('db', [['A', 'a', '0,0,-1,-1']]);
    const image = join(bench.root, 'db', 'conditions.sqlite');
    chmodSync(image, 0o644);
    return { bench, directory: join(bench.root, 'db'), image };
  };

  it('recognises what is not there, empty, truncated or no database', async () => {
    const { directory, image } = await opened();
    const bytes = readFileSync(image);
    expect(await codeOf(() => openDatabase(join(directory, 'nothing')))).toBe('CAF_DB_MISSING');
    for (const damaged of [Buffer.alloc(0), bytes.subarray(0, 50), bytes.subarray(0, 8192), Buffer.from('text')]) {
      writeFileSync(image, damaged);
      expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_DAMAGED');
    }
  });

  it('recognises a file of another application and one of a newer caf', async () => {
    const { directory, image } = await opened();
    const bytes = readFileSync(image);
    const foreign = Buffer.from(bytes);
    foreign.writeUInt32BE(732379, 68);
    writeFileSync(image, foreign);
    expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_MISSING');
    const newer = Buffer.from(bytes);
    newer.writeUInt32BE(2, 60);
    writeFileSync(image, newer);
    expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_NEWER');
  });

  it('does not serve an image that was edited', async () => {
    const { directory, image } = await opened();
    const sqlite = new Database(image);
    sqlite.exec(
      "DROP TRIGGER sealed_seg_u; UPDATE seg SET hi = 5; CREATE TRIGGER sealed_seg_u BEFORE UPDATE ON seg BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END",
    );
    sqlite.close();
    expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_DAMAGED');
  });

  it('does not serve an image with triggers or views of its own, even without its VERSION', async () => {
    const { directory, image } = await opened();
    const sqlite = new Database(image);
    sqlite.exec('CREATE VIEW trap AS SELECT randomblob(1e9)');
    sqlite.close();
    rmSync(join(directory, 'VERSION'));
    expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_DAMAGED');
  });

  it('does not serve an image beside a VERSION that cannot be read', async () => {
    const { directory, image } = await opened();
    const bytes = readFileSync(image);
    bytes[bytes.indexOf('physicist@')] = 0x50;
    writeFileSync(image, bytes);
    const version = join(directory, 'VERSION');
    chmodSync(version, 0o644);
    for (const text of [readFileSync(version, 'utf8').replace('image_sha256', 'image_sha255'), '']) {
      writeFileSync(version, text);
      expect(await codeOf(() => openDatabase(directory))).toBe('CAF_DB_DAMAGED');
    }
  });

  it('works from a copy, and from a directory that cannot be written', async () => {
    const { bench, directory } = await opened();
    const copy = join(temporaryDirectory(), 'copy');
    cpSync(directory, copy, { recursive: true });
    const files = readdirSync(copy);
    for (const file of files) chmodSync(join(copy, file), 0o444);
    chmodSync(copy, 0o555);
    rmSync(bench.root, { recursive: true });
    const chain = openChain({ v: 1, databases: [describeDatabase(copy)] });
    expect(chain.read(chain.lookup('A', [3, 4])!).toString()).toBe('a');
    chain.close();
    expect(readdirSync(copy)).toEqual(files);
    chmodSync(copy, 0o755);
  });
});

describe('a conditions directory for programs', () => {
  it('holds the effective intervals and the files they name', async () => {
    const bench = await t26();
    const chain = bench.chain('A', 'B');
    const directory = join(bench.root, 'conditions');
    await writeConditionsDirectory(chain, directory);
    const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'));
    expect(index).toEqual({
      v: 1,
      payloads: {
        p1: [
          { iov: [1, 0, 1, 10], file: 'p1_rev_d27918.txt', sha256: sha256('r2') },
          { iov: [1, 11, 1, 19], file: 'p1_rev_7c92cf.txt', sha256: sha256('r1') },
          { iov: [1, 20, 1, 22], file: 'p1_rev_9d3e62.txt', sha256: sha256('r3') },
          { iov: [1, 23, 1, 30], file: 'p1_rev_7c92cf.txt', sha256: sha256('r1') },
        ],
        p2: [
          { iov: [0, 1, 0, -1], file: 'p2_rev_d27918.txt', sha256: sha256('r2') },
          { iov: [1, 0, 1, -1], file: 'p2_rev_7c92cf.txt', sha256: sha256('r1') },
        ],
      },
    });
    expect(readFileSync(join(directory, 'p1_rev_9d3e62.txt'), 'utf8')).toBe('r3');
    const { ino } = statSync(directory);
    await writeConditionsDirectory(chain, directory);
    expect(statSync(directory).ino).toBe(ino);
    await writeConditionsDirectory(chain, directory, parseIov('1,20,1,20'));
    expect(readdirSync(directory).sort()).toEqual(['index.json', 'p1_rev_9d3e62.txt', 'p2_rev_7c92cf.txt']);
    chain.close();
  });

  it('tells files apart that have the same revision in different databases, and knows odd names', async () => {
    const bench = new Bench();
    await bench.publish('a', [
      ['__proto__', 'c2166', '1,0,1,0'],
      ['A', 'c2166', '1,0,1,0'],
    ]);
    await bench.publish('b', [['A', 'c5093', '1,1,1,1']]);
    const chain = bench.chain('a', 'b');
    await writeConditionsDirectory(chain, join(bench.root, 'conditions'));
    chain.close();
    const text = readFileSync(join(bench.root, 'conditions', 'index.json'), 'utf8');
    expect(
      Object.entries(JSON.parse(text).payloads).map(([name, list]) => [name, (list as { file: string }[]).map(({ file }) => file)]),
    ).toEqual([
      ['A', ['A_rev_7fcdd2.txt', 'A_rev_7fcdd2d.txt']],
      ['__proto__', ['__proto___rev_7fcdd2.txt']],
    ]);
  });
});

describe('loading this room', () => {
  it('does not load better-sqlite3 before a database is opened', () => {
    const modules = ['chain', 'flatten', 'publish', 'queries', 'verify', 'exchange'].map((name) => `../../src/database/${name}.ts`);
    const code = `${modules.map((name) => `await import(${JSON.stringify(new URL(name, import.meta.url))});`).join('')}
      const { default: Module } = await import('node:module');
      console.log(Object.keys(Module._cache).filter((name) => name.includes('better-sqlite3')).length);`;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })).toBe('0\n');
  });
});
