// Intra-run payloads (T42) and versions of definitions in a database: kept through publishing, flattening, text, exchange and verification.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openChain } from '../../src/database/chain.ts';
import { diffDetailed } from '../../src/database/diff-values.ts';
import { exportDatabase, importDatabase } from '../../src/database/exchange.ts';
import { flattenChain, writeConditionsDirectory } from '../../src/database/flatten.ts';
import { openDatabase } from '../../src/database/open.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { verifyDatabase } from '../../src/database/verify.ts';
import type { Iov } from '../../src/domain/iov.ts';
import type { StoredPayload } from '../../src/domain/payload.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { checkEventParts, describeParts, partAt, partsDocument, readParts } from '../../src/payloads/parts.ts';
import { putValue } from '../../src/payloads/store.ts';
import { Bench, codeOf, sha256, transaction } from './support.ts';

const PARTS = [
  { firstEvent: 0, value: 'A' },
  { firstEvent: 10, value: 'B' },
  { firstEvent: 50, value: 'C' },
];
const BY = { at: '2026-02-03T04:05:06Z', actor: 'physicist@desk' };

async function intraRun(bench: Bench, name = 'Beam'): Promise<StoredPayload> {
  const document = partsDocument(PARTS);
  return { ...(await putValue(bench.objects, name, encodePayload(document), { parts: describeParts(document) })), iov: null };
}

const publish = (bench: Bench, label: string, entries: readonly (readonly [StoredPayload, Iov])[]) =>
  publishDatabase(
    {
      entries: entries.map(([payload, iov]) => ({ payload, iov, transaction: 0 })),
      transactions: [transaction()],
      parents: [],
      chain: null,
    },
    { directory: join(bench.root, label), objects: bench.objects },
  );

const value = async (bench: Bench, name: string, content: unknown, version: number): Promise<StoredPayload> => ({
  ...(await putValue(bench.objects, name, encodePayload(content), { version })),
  iov: null,
});

describe('an intra-run payload', () => {
  it('has for each event the part whose boundaries hold it (T42)', () => {
    const { boundaries, parts } = partsDocument(PARTS);
    expect([0, 9, 10, 49, 50, 1000].map((event) => parts[partAt(boundaries, event)])).toEqual(['A', 'A', 'B', 'B', 'C', 'C']);
  });

  it('is one readable file, and rows of the table `part`', async () => {
    const bench = new Bench();
    const { directory } = await publish(bench, 'db', [[await intraRun(bench), [7, 12, 7, 12]]]);
    const database = openDatabase(directory);
    const [entry] = database.entries();
    expect(entry?.payload.parts).toEqual([
      { firstEvent: 0, sha256: sha256('"A"') },
      { firstEvent: 10, sha256: sha256('"B"') },
      { firstEvent: 50, sha256: sha256('"C"') },
    ]);
    const file = database.fileOf(entry!.payload);
    expect(readFileSync(file, 'utf8')).toBe('{"boundaries":[10,50],"parts":["A","B","C"]}');
    database.close();
    const sqlite = new Database(join(directory, 'conditions.sqlite'), { readonly: true });
    expect(sqlite.prepare('SELECT kind, ord, first_event FROM payload JOIN part USING(payload_id)').raw().all()).toEqual([
      ['intrarun', 0, 0],
      ['intrarun', 1, 10],
      ['intrarun', 2, 50],
    ]);
    sqlite.close();
    expect(await verifyDatabase(directory)).toMatchObject({ ok: true });
  });

  it('keeps its parts in a chain, flattened, in the files for programs, and as database.txt alone', async () => {
    const bench = new Bench();
    const { directory } = await publish(bench, 'db', [[await intraRun(bench), [7, 12, 7, 12]]]);
    const chain = bench.chain('db');
    expect(chain.lookup('Beam', [7, 12])).toMatchObject({ boundaries: [10, 50] });
    await writeConditionsDirectory(chain, join(bench.root, 'conditions'));
    chain.close();
    expect(JSON.parse(readFileSync(join(bench.root, 'conditions/index.json'), 'utf8'))).toMatchObject({
      payloads: { Beam: [{ iov: [7, 12, 7, 12], boundaries: [10, 50] }] },
    });
    const flat = await flattenChain(bench.lock('db'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    const exported = await exportDatabase(flat.directory, join(bench.root, 'out'));
    expect(readFileSync(join(exported.directory, 'database.txt'), 'utf8')).toMatch(
      /^# caf: Beam \w{6} application\/json intrarun\ndbstore/m,
    );
    const imported = await importDatabase(exported.directory, join(bench.root, 'back'), BY);
    expect(imported.contentId).toBe(flat.contentId);
    for (const path of [flat.directory, imported.directory, exported.directory]) {
      const database = openDatabase(path);
      expect(database.entries()[0]?.payload.parts, path).toEqual(openDatabase(directory).entries()[0]?.payload.parts);
      database.close();
    }
  });

  it('whose file is none is told when its text is read', async () => {
    const bench = new Bench();
    const { directory } = await bench.publish('db', [['Beam', '{"parts":[1]}', '7,12,7,12']]);
    const exported = await exportDatabase(directory, join(bench.root, 'out'));
    const text = join(exported.directory, 'database.txt');
    chmodSync(text, 0o644);
    const line = readFileSync(text, 'utf8')
      .split('\n')
      .find((one) => one.startsWith('dbstore'))!;
    writeFileSync(text, `# caf: Beam ${line.split(' ')[1]} application/json intrarun\n${line}\n`);
    await expect(importDatabase(text, join(bench.root, 'back'), BY)).rejects.toMatchObject({
      code: 'CAF_DB_LINE',
      problems: [{ path: `${text}:2`, message: expect.stringContaining('is no intra-run payload') }],
    });
  });

  it.each([
    [[], /at least one part/],
    [[{ firstEvent: 1, value: 1 }], /first part begins at event 1/],
    [
      [
        { firstEvent: 0, value: 1 },
        { firstEvent: 0, value: 2 },
      ],
      /parts\[1\] begins at event 0, not after parts\[0\] at 0/,
    ],
    [[{ firstEvent: 0.5, value: 1 }], /parts\[0\]\.firstEvent is 0\.5/],
    [[{ value: 1 } as never], /parts\[0\]\.firstEvent is undefined/],
  ])('of the parts %j is refused', (parts, message) => {
    expect(() => checkEventParts('Beam', parts)).toThrow(
      expect.objectContaining({ code: 'CAF_PAYLOAD_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    '[]',
    'null',
    '{"parts":[1]}',
    '{"boundaries":[5,5],"parts":[1,2,3]}',
    '{"boundaries":[5],"parts":[1]}',
    'not json',
    '{"boundaries":["a"],"parts":[1,2]}',
  ])('is not read from %s', (text) => {
    expect(readParts(Buffer.from(text))).toBeNull();
  });
});

describe('values of any version', () => {
  it('are compared value by value, though their media type says more than JSON', async () => {
    const bench = new Bench();
    for (const [label, gain] of [
      ['a', 1],
      ['b', 2],
    ] as const)
      await publish(bench, label, [[await value(bench, 'Gains', { gain }, 2), [1, 0, 1, 9]]]);
    const { changes } = diffDetailed(join(bench.root, 'a'), join(bench.root, 'b'), { values: true });
    expect(changes).toHaveLength(1);
    expect(JSON.stringify(changes[0]?.values)).toContain('gain');
  });
});

describe('the version of a definition', () => {
  it('is recorded with each payload, and survives flattening and exchange', async () => {
    const bench = new Bench();
    const { directory } = await publish(bench, 'db', [
      [await value(bench, 'Gains', { gain: 1 }, 1), [1, 0, 1, 9]],
      [await value(bench, 'Gains', { gain: [1] }, 2), [2, 0, 2, 9]],
    ]);
    const flat = await flattenChain(bench.lock('db'), { directory: join(bench.root, 'flat'), objects: bench.objects });
    const { directory: out } = await exportDatabase(flat.directory, join(bench.root, 'out'));
    const back = await importDatabase(out, join(bench.root, 'back'), BY);
    for (const path of [directory, flat.directory, back.directory, out]) {
      const chain = openChain({ v: 1, databases: [{ ...openDatabase(path), label: 'db', path }] });
      const types = [chain.lookup('Gains', [1, 1])?.mediaType, chain.lookup('Gains', [2, 1])?.mediaType];
      chain.close();
      expect(types, path).toEqual(['application/json', 'application/json;version=2']);
    }
    expect(await verifyDatabase(back.directory)).toMatchObject({ ok: true });
  });

  it('is told to programs in the index of their conditions', async () => {
    const bench = new Bench();
    await publish(bench, 'db', [[await value(bench, 'Gains', { gain: [1] }, 2), [2, 0, 2, 9]]]);
    const chain = bench.chain('db');
    await writeConditionsDirectory(chain, join(bench.root, 'conditions'));
    chain.close();
    expect(JSON.parse(readFileSync(join(bench.root, 'conditions/index.json'), 'utf8')).payloads.Gains[0]).toMatchObject({ version: 2 });
  });

  it('keeps databases apart that say different things of the same bytes: chained, but never made one', async () => {
    const bench = new Bench();
    await publish(bench, 'old', [[await value(bench, 'Gains', { gain: 1 }, 1), [1, 0, 1, 9]]]);
    await publish(bench, 'new', [[await value(bench, 'Gains', { gain: 1 }, 2), [2, 0, 2, 9]]]);
    const chain = bench.chain('new', 'old');
    expect([chain.lookup('Gains', [1, 1])?.mediaType, chain.lookup('Gains', [2, 1])?.mediaType]).toEqual([
      'application/json',
      'application/json;version=2',
    ]);
    chain.close();
    expect(await codeOf(() => flattenChain(bench.lock('new', 'old'), { directory: join(bench.root, 'flat') }))).toBe('CAF_PAYLOAD_VERSION');
  });
});
