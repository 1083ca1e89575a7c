// Questions about versions: why a layer answers or not, what changed inside values, where nothing answers, what an upload would send.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareValues } from '../../src/database/compare-values.ts';
import { diffDetailed } from '../../src/database/diff-values.ts';
import { blameIn, blameOf, chainAt, explainLookup } from '../../src/database/explain.ts';
import { gapsOf, readRuns } from '../../src/database/gaps.ts';
import { nameVersion } from '../../src/database/names.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { changeState } from '../../src/database/state.ts';
import { planUpload } from '../../src/database/upload-plan.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { putValue } from '../../src/payloads/store.ts';
import { openForTest } from './journal-support.ts';
import { Bench, codeOf, sha256, transaction } from './support.ts';

const BY = { at: '2026-01-02T03:04:05.000Z', actor: 'physicist@login02' };

describe('explaining a lookup', () => {
  it('tells of every layer of the chain why it answers or not', async () => {
    const bench = new Bench();
    await bench.publish('invalid', [['A', 'i', '0,0,-1,-1']]);
    await bench.publish('other', [['Alignment', 'o', '0,0,-1,-1']]);
    await bench.publish('holes', [
      ['A', 'h1', '1,0,1,4'],
      ['A', 'h2', '1,9,1,-1'],
    ]);
    await bench.publish('two', [
      ['A', 't1', '0,0,-1,-1'],
      ['A', 't2', '1,5,1,20'],
    ]);
    await bench.publish('base', [['A', 'b', '0,0,-1,-1']]);
    await bench.publish('gone', [['A', 'g', '0,0,-1,-1']]);
    const lock = bench.lock('invalid', 'other', 'holes', 'two', 'base', 'gone');
    changeState(join(bench.root, 'invalid'), { state: 'invalid', ...BY, note: 'wrong map' });
    rmSync(join(bench.root, 'gone'), { recursive: true });
    const { answer, layers } = explainLookup(lock, 'A', [1, 6]);
    expect(answer).toMatchObject({ label: 'two', sha256: sha256('t2'), iov: [1, 5, 1, 20], effective: [1, 5, 1, 8] });
    expect(layers.map(({ label, verdict, reason }) => [label, verdict, reason])).toEqual([
      ['invalid', 'unusable', expect.stringContaining('is invalid: wrong map')],
      ['other', 'unknown name', expect.stringContaining('it has no payload A')],
      ['holes', 'not valid', 'it has A, but not for this run (before: 1,0,1,4; after: 1,9,1,-1)'],
      ['two', 'answers', 'entry 2 of 2'],
      ['base', 'covered', 'it holds this run, but two is higher'],
      ['gone', 'unusable', expect.stringContaining('no local database at')],
    ]);
    expect(layers[3]?.entries.map(({ seq, hiddenBy }) => [seq, hiddenBy])).toEqual([
      [2, null],
      [1, 2],
    ]);
    expect(explainLookup(bench.lock('holes'), 'A', [1, 6])).toMatchObject({ answer: null });
  });

  it('takes a lock file, the chain a database was made on, and databases below', async () => {
    const bench = new Bench();
    await bench.publish('base', [['A', 'b', '0,0,-1,-1']]);
    await bench.publish('far', [['A', 'f', '0,0,-1,-1']]);
    const { directory } = await publishDatabase(bench.input([['A', 'x', '1,0,1,1']], { chain: bench.lock('base') }), {
      directory: join(bench.root, 'top'),
      objects: bench.objects,
    });
    const paths = (path: string, below: string[], withChain: boolean) =>
      chainAt(path, below, withChain).databases.map((member) => member.path.slice(bench.root.length + 1));
    expect(paths(directory, [], false)).toEqual(['top']);
    expect(paths(directory, [join(bench.root, 'far')], true)).toEqual(['top', 'base', 'far']);
    expect(paths(join(directory, 'chain.lock.json'), [], false)).toEqual(['base']);
  });
});

describe('blame', () => {
  it('lists every version that answers for a run, newest first, with who made it and the names it has', async () => {
    const bench = new Bench();
    openForTest(bench.root).close();
    const publish = (label: string, rows: Parameters<Bench['input']>[0], when: string, iteration: number) =>
      publishDatabase(bench.input(rows, { transactions: [transaction({ at: when, iteration, codeDigest: `code${iteration}` })] }), {
        directory: join(bench.root, label),
        objects: bench.objects,
      });
    const { directory } = await publish('first', [['A', 'a', '0,0,-1,-1']], '2026-01-01T00:00:00.000Z', 0);
    await publish(
      'second',
      [
        ['A', 'a', '1,0,1,9'],
        ['A', 'b', '1,5,1,9'],
      ],
      '2026-01-02T00:00:00.000Z',
      1,
    );
    await publish('elsewhere', [['A', 'c', '2,0,2,9']], '2026-01-03T00:00:00.000Z', 2);
    await nameVersion(bench.root, { name: 'v1', kind: 'tag', target: directory, note: '', actor: BY.actor, command: 'caf db tag' });
    expect(blameIn(bench.root, 'A', [1, 6], false)).toMatchObject([
      {
        directory: 'second',
        sha256: sha256('b'),
        iov: [1, 5, 1, 9],
        names: [],
        madeBy: { iteration: 1 },
        transaction: { codeDigest: 'code1' },
      },
      { directory: 'first', sha256: sha256('a'), names: ['v1'], madeBy: { iteration: 0 } },
    ]);
    expect(blameOf(join(bench.root, 'second'), 'A', [1, 6], true).map((one) => one.sha256)).toEqual([sha256('b'), sha256('a')]);
    expect(blameIn(bench.root, 'A', [9, 9], false)).toHaveLength(1);
    expect(blameIn(bench.root, 'B', [1, 6], false)).toEqual([]);
  });
});

describe('comparing values', () => {
  it('tells each place with both sides and by how much, and the largest relative change', () => {
    const from = { mean: [1, 2, 0], name: 'x', gone: true, same: { a: 1 } };
    const to = { mean: [1, 2.5, 4, 7], name: 'y', same: { a: 1 }, 'odd key': null };
    expect(compareValues(from, to)).toEqual({
      compared: 8,
      differences: [
        { path: 'gone', from: true, change: null, relative: null },
        { path: 'mean[1]', from: 2, to: 2.5, change: 0.5, relative: 0.25 },
        { path: 'mean[2]', from: 0, to: 4, change: 4, relative: null },
        { path: 'mean[3]', to: 7, change: null, relative: null },
        { path: 'name', from: 'x', to: 'y', change: null, relative: null },
        { path: '["odd key"]', to: null, change: null, relative: null },
      ],
      largest: { path: 'mean[1]', from: 2, to: 2.5, change: 0.5, relative: 0.25 },
    });
    expect(compareValues(-2, -3).differences[0]).toMatchObject({ path: '', change: -1, relative: -0.5 });
    expect(compareValues({ a: [1] }, { a: { 0: 1 } }).differences).toMatchObject([{ path: 'a' }]);
    expect(compareValues({ __proto__: null, constructor: 1 }, {}).differences).toMatchObject([{ path: 'constructor', from: 1 }]);
  });

  it('finds no difference exactly when the canonical bytes are equal', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
        for (const [x, y] of [
          [a, b],
          [a, structuredClone(a)],
        ] as const) {
          const isSame = encodePayload(x).equals(encodePayload(y));
          const { differences } = compareValues(x, y);
          // An empty list and an empty object hold no place that could differ.
          if (isSame) expect(differences).toEqual([]);
          else if (!/\[\]|\{\}/.test(JSON.stringify([x, y]))) expect(differences.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is part of a diff when asked, for JSON payloads on both sides', async () => {
    const bench = new Bench();
    const publish = async (label: string, mean: number) => {
      const payload = { ...(await putValue(bench.objects, 'Gain', encodePayload({ mean }))), iov: null };
      const file = bench.put('File', String(mean));
      const entries = [
        { payload, iov: [1, 0, 1, 9] as const, transaction: 0 },
        { payload: file, iov: [1, 0, 1, 9] as const, transaction: 0 },
        ...(mean === 2 ? [] : [{ payload, iov: [3, 0, 3, 9] as const, transaction: 0 }]),
      ];
      return publishDatabase(
        { entries, transactions: [transaction()], parents: [], chain: null },
        { directory: join(bench.root, label), objects: bench.objects },
      );
    };
    const [a, b] = [await publish('a', 2), await publish('b', 3)];
    const { changes } = diffDetailed(a.directory, b.directory, { values: true });
    expect(changes.map(({ name, iov, values }) => [name, iov, values?.largest?.relative ?? values])).toEqual([
      ['File', [1, 0, 1, 9], null],
      ['Gain', [1, 0, 1, 9], 0.5],
      ['Gain', [3, 0, 3, 9], null],
    ]);
    expect(diffDetailed(a.directory, b.directory, { values: false, name: 'Gain', run: [3, 1] }).changes).toEqual([
      { name: 'Gain', iov: [3, 0, 3, 9], from: null, to: expect.any(String) },
    ]);
    expect(await codeOf(() => diffDetailed(a.directory, b.directory, { values: false, name: 'Gian' }))).toBe('CAF_DB_NOT_FOUND');
  });
});

describe('gaps', () => {
  it('are holes inside experiments, or the runs of a list that nothing answers', async () => {
    const bench = new Bench();
    await bench.publish('top', [['A', 'x', '1,0,1,4']]);
    await bench.publish('base', [
      ['A', 'y', '1,7,1,9'],
      ['A', 'z', '3,0,3,5'],
      ['B', 'b', '0,0,-1,-1'],
    ]);
    const file = join(bench.root, 'runs.txt');
    writeFileSync(file, '# physics\n1 2\n1,5\n1:6  # short\n\n2 1\n3 5\n3 6\n');
    expect(gapsOf(bench.lock('top', 'base'), readRuns(file), null)).toEqual([
      {
        name: 'A',
        gaps: [[1, 5, 1, 6]],
        runs: [
          [1, 5],
          [1, 6],
          [2, 1],
          [3, 6],
        ],
      },
      { name: 'B', gaps: [], runs: [] },
    ]);
    expect(() => gapsOf(bench.lock('top'), null, 'C')).toThrow('There is no payload C in top; what is there: A');
    expect(gapsOf(bench.lock('top'), [[1, 2]], 'C')).toEqual([{ name: 'C', gaps: [], runs: [[1, 2]] }]);
    writeFileSync(file, '1 2\nx\n1 5000000000\n');
    expect(() => readRuns(file)).toThrow(/runs\.txt:2: 'x' is not an experiment and a run, and 1 more/);
    expect(await codeOf(() => readRuns(join(bench.root, 'none')))).toBe('CAF_USAGE');
  });
});

describe('the plan of an upload', () => {
  it('tells what is new, what is there and what is hidden; the same plan after the upload sends nothing', async () => {
    const bench = new Bench();
    await bench.publish('there', [['A', 'x', '1,0,1,4']]);
    const { directory } = await bench.publish('db', [
      ['A', 'old', '1,5,1,9'],
      ['A', 'x', '1,0,1,4'],
      ['A', 'y', '1,5,1,9'],
      ['B', 'z', '1,0,1,4'],
      ['B', 'z', '1,9,1,9'],
    ]);
    const plan = await planUpload(directory, join(bench.root, 'there'));
    expect(plan.rows.map(({ row, name, iov }) => `${row} ${name} ${iov ?? ''}`.trim())).toEqual([
      'EXISTING-PAYLOAD A',
      'NEW-PAYLOAD A',
      'NEW-PAYLOAD B',
      'SHADOWED A 1,5,1,9',
      'EXISTING-IOV A 1,0,1,4',
      'NEW-IOV A 1,5,1,9',
      'NEW-IOV B 1,0,1,4',
      'NEW-IOV B 1,9,1,9',
    ]);
    expect([plan.problems, plan.gaps, plan.bytes]).toEqual([
      ['its state is committed, not validated'],
      [{ name: 'B', iov: [1, 5, 1, 8] }],
      2,
    ]);
    changeState(directory, { state: 'validated', ...BY, note: 'looked at' });
    const again = await planUpload(directory, directory);
    expect(again.rows.filter(({ row }) => row.startsWith('NEW'))).toEqual([]);
    expect(again.problems).toEqual([]);
  });

  it('refuses what overlaps and what is damaged', async () => {
    const bench = new Bench();
    const { directory } = await bench.publish('db', [
      ['A', 'x', '0,0,-1,-1'],
      ['A', 'y', '1,5,1,9'],
    ]);
    expect((await planUpload(directory, null)).problems[0]).toMatch(/A: 1 intervals overlap earlier ones/);
    rmSync(join(directory, 'database.txt'));
    expect((await planUpload(directory, null)).problems[0]).toMatch(/database\.txt/);
  });
});
