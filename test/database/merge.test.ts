// Diff, three-way merge, running update and gap filling (conditions T35 to T38, calibration C-03), and the same against brute force.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeDatabase } from '../../src/database/chain.ts';
import { diffSegments } from '../../src/database/diff.ts';
import { extendPayload, fillGapsOf, updateRunning } from '../../src/database/edit.ts';
import { extendLast, fillGaps } from '../../src/database/fill-gaps.ts';
import { mergeViews } from '../../src/database/merge.ts';
import { type MergeRequest, mergeDatabases, readResolutions } from '../../src/database/merge-databases.ts';
import { openDatabase } from '../../src/database/open.ts';
import { publishDatabase } from '../../src/database/publish.ts';
import { diffDatabases, logDatabase, showDatabase } from '../../src/database/queries.ts';
import { planRunningUpdate, UPDATE_MODES, type UpdateMode } from '../../src/database/running-update.ts';
import { changeState } from '../../src/database/state.ts';
import type { Held } from '../../src/database/sweep.ts';
import { FOREVER, formatIov, iovToKeys, key, keysToIov, parseIov, type Run } from '../../src/domain/iov.ts';
import { Bench, codeOf, type Row, sha256, transaction } from './support.ts';

const EDIT = { note: 'because', actor: 'physicist@login02', at: '2026-01-02T03:04:05.000Z' };

/** `name iov content`, sorted by name, then start. */
function view(directory: string, contents: readonly string[]): string[] {
  const byHash = new Map(contents.map((content) => [sha256(content), content]));
  return showDatabase(directory).view.map(({ name, iov, sha256: hash }) => `${name} ${formatIov(iov)} ${byHash.get(hash)}`);
}

/** Segments of a text: `A 0,0,-1,-1 o; A ...`. */
const held = (text: string): Held[] =>
  text
    .split('; ')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', iov = '', content = ''] = part.split(' ');
      const [lo, hi] = iovToKeys(parseIov(iov));
      return { name, lo, hi, payload: { sha256: content } };
    });
const told = (segments: readonly Held[]): string =>
  segments.map(({ name, lo, hi, payload }) => `${name} ${formatIov(keysToIov(lo, hi))} ${payload.sha256}`).join('; ');

describe('diff', () => {
  it('tells by interval what changed, also where one side has nothing (T35)', async () => {
    const bench = new Bench();
    const v1 = await bench.publish('v1', [['A', 'r1', '0,0,-1,-1']]);
    const v2 = await bench.publish('v2', [
      ['A', 'r1', '0,0,-1,-1'],
      ['A', 'r2', '1,5,1,9'],
    ]);
    const empty = await bench.publish('empty', []);
    const z = await bench.publish('z', [['B', 'z', '0,0,0,-1']]);
    expect(diffDatabases(v1.directory, v2.directory).changes).toEqual([
      { name: 'A', iov: [1, 5, 1, 9], from: sha256('r1'), to: sha256('r2') },
    ]);
    expect(diffDatabases(empty.directory, z.directory).changes).toEqual([{ name: 'B', iov: [0, 0, 0, -1], from: null, to: sha256('z') }]);
  });

  it('finds none where the answers are the same, however they were committed (T36)', async () => {
    const bench = new Bench();
    const v1 = await bench.publish('v1', [
      ['A', 'r', '1,0,1,4'],
      ['A', 'r', '1,5,1,9'],
    ]);
    const v2 = await bench.publish('v2', [['A', 'r', '1,0,1,9']]);
    const v3 = await bench.publish('v3', [['A', 'r', '1,0,1,9']]);
    const later = await publishDatabase(
      bench.input([['A', 'r', '1,0,1,9']], { transactions: [transaction({ at: '2027-01-01T00:00:00.000Z' })] }),
      { directory: join(bench.root, 'later'), objects: bench.objects },
    );
    expect(diffDatabases(v1.directory, v2.directory).changes).toEqual([]);
    expect(v1.viewId).toBe(v2.viewId);
    expect(v1.contentId).not.toBe(v2.contentId);
    expect([v3.contentId, v3.versionId]).toEqual([v2.contentId, v2.versionId]);
    expect([later.contentId, later.versionId === v2.versionId]).toEqual([v2.contentId, false]);
  });

  it('agrees with brute force for random views', () => {
    fc.assert(
      fc.property(views, views, (a, b) => {
        const changes = diffSegments(a, b);
        for (const [name, moment] of PROBES) {
          const change = changes.find((one) => one.name === name && within(one.iov, moment));
          const [from, to] = [at(a, name, moment), at(b, name, moment)];
          expect(change === undefined ? 'same' : [change.from, change.to]).toEqual(from === to ? 'same' : [from, to]);
        }
      }),
      { numRuns: 100 },
    );
  });
});

// Random views: disjoint, sorted segments of two names, with neighbours, holes and open ends.
const CUTS = [0, key(0, 3), key(0, 4), key(1, 0), key(1, 1), key(2, 5), key(3, 0), FOREVER + 1];
const segments = (name: string): fc.Arbitrary<Held[]> =>
  fc
    .array(fc.constantFrom(null, 'x', 'y', 'z'), { minLength: 7, maxLength: 7 })
    .map((contents) =>
      contents.flatMap((content, index) =>
        content === null ? [] : [{ name, lo: CUTS[index]!, hi: CUTS[index + 1]! - 1, payload: { sha256: content } }],
      ),
    );
const views: fc.Arbitrary<Held[]> = fc.tuple(segments('A'), segments('B')).map((both) => both.flat());
const PROBES = ['A', 'B'].flatMap((name) => CUTS.slice(0, -1).map((cut) => [name, cut] as const));
const at = (list: readonly Held[], name: string, moment: number): string | null =>
  list.find((one) => one.name === name && one.lo <= moment && moment <= one.hi)?.payload.sha256 ?? null;
const within = (iov: Parameters<typeof iovToKeys>[0], moment: number): boolean => {
  const [lo, hi] = iovToKeys(iov);
  return lo <= moment && moment <= hi;
};

describe('three-way merge of views', () => {
  const merge = (base: string, ours: string, theirs: string) => {
    const { segments: merged, conflicts } = mergeViews(held(base), held(ours), held(theirs), () => null);
    return [
      told(merged),
      conflicts.map(({ name, iov, base: b, ours: o, theirs: t }) => `${name} ${formatIov(iov)} ${b},${o},${t}`).join('; '),
    ];
  };
  const O = 'A 0,0,-1,-1 o';
  const OURS = 'A 0,0,0,-1 o; A 1,0,1,9 a; A 1,10,-1,-1 o';

  it('takes what only one side changed, and tells what both did (T37)', () => {
    expect(merge(O, OURS, 'A 0,0,1,9 o; A 1,10,1,19 b; A 1,20,-1,-1 o')).toEqual([
      'A 0,0,0,-1 o; A 1,0,1,9 a; A 1,10,1,19 b; A 1,20,-1,-1 o',
      '',
    ]);
    expect(merge(O, OURS, 'A 0,0,1,4 o; A 1,5,1,19 b; A 1,20,-1,-1 o')[1]).toBe('A 1,5,1,9 o,a,b');
    expect(merge(O, 'A 0,0,-1,-1 n', 'A 0,0,-1,-1 n')).toEqual(['A 0,0,-1,-1 n', '']);
    expect(merge(O, 'A 0,0,4,-1 o', O)).toEqual(['A 0,0,4,-1 o', '']);
  });

  it('agrees with brute force for random views, with each decision', () => {
    fc.assert(
      fc.property(views, views, views, fc.constantFrom('ours', 'theirs', 'base', 'none', null), (base, ours, theirs, decision) => {
        const { segments: merged, conflicts } = mergeViews(base, ours, theirs, () => decision);
        for (const [name, moment] of PROBES) {
          const [b, o, t] = [base, ours, theirs].map((one) => at(one, name, moment));
          const isConflict = o !== t && o !== b && t !== b;
          const expected = !isConflict
            ? o === t || t === b
              ? o
              : t
            : decision === 'ours'
              ? o
              : decision === 'theirs'
                ? t
                : decision === 'base'
                  ? b
                  : null;
          expect(at(merged, name, moment)).toBe(expected);
          expect(conflicts.filter((one) => one.name === name && within(one.iov, moment))).toHaveLength(
            isConflict && decision === null ? 1 : 0,
          );
        }
        expect(merged.every((one, index) => index === 0 || one.name !== merged[index - 1]!.name || merged[index - 1]!.hi < one.lo)).toBe(
          true,
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('merging databases', () => {
  /** base, ours and theirs of T37 with a conflict, ours and theirs made on top of base. */
  async function t37(): Promise<{ readonly bench: Bench; readonly request: MergeRequest; readonly directory: string }> {
    const bench = new Bench();
    const base = await bench.publish('base', [['A', 'o', '0,0,-1,-1']]);
    const parents = [{ role: 'base' as const, versionId: base.versionId, locator: '../base' }];
    const side = (label: string, rows: readonly Row[], when: string) =>
      publishDatabase(bench.input([['A', 'o', '0,0,-1,-1'], ...rows], { parents, transactions: [transaction({ at: when })] }), {
        directory: join(bench.root, label),
        objects: bench.objects,
      });
    const ours = await side('ours', [['A', 'a', '1,0,1,9']], '2026-01-02T00:00:00.000Z');
    const theirs = await side('theirs', [['A', 'b', '1,5,1,19']], '2026-01-03T00:00:00.000Z');
    const request = { ours: ours.directory, theirs: theirs.directory, strategy: 'fail' as const, resolutions: [] };
    return { bench, request, directory: join(bench.root, 'merged') };
  }

  it('finds the common ancestor, refuses conflicts, and decides them as it is told', async () => {
    const { bench, request, directory } = await t37();
    const options = { ...EDIT, directory };
    expect(await codeOf(() => mergeDatabases(request, options))).toBe('CAF_DB_CONFLICT');
    expect(await codeOf(() => mergeDatabases({ ...request, strategy: 'ours' }, { ...options, note: '' }))).toBe('CAF_USAGE');
    const dry = await mergeDatabases(request, { ...options, note: '', dryRun: true });
    expect(dry.conflicts).toEqual([{ name: 'A', iov: [1, 5, 1, 9], base: sha256('o'), ours: sha256('a'), theirs: sha256('b') }]);
    expect([dry.published, dry.base]).toEqual([null, describeDatabase(join(bench.root, 'base')).versionId]);
    const merged = async (strategy: MergeRequest['strategy'], label: string) => {
      const { published } = await mergeDatabases({ ...request, strategy }, { ...options, directory: join(bench.root, label) });
      return view(published!.directory, ['o', 'a', 'b']);
    };
    expect(await merged('ours', 'm1')).toEqual(['A 0,0,0,-1 o', 'A 1,0,1,9 a', 'A 1,10,1,19 b', 'A 1,20,-1,-1 o']);
    expect(await merged('theirs', 'm2')).toEqual(['A 0,0,0,-1 o', 'A 1,0,1,4 a', 'A 1,5,1,19 b', 'A 1,20,-1,-1 o']);
    expect(await merged('newest', 'm3')).toEqual(await merged('theirs', 'm4'));
  });

  it('takes for the newest what was committed last for these runs, also where neighbours carry the same payload', async () => {
    const bench = new Bench();
    const day = (number: number) => transaction({ at: `2026-01-0${number}T00:00:00.000Z` });
    const publish = (label: string, rows: readonly Row[], days: readonly number[]) => {
      const input = bench.input(rows, { transactions: days.map(day) });
      const entries = input.entries.map((entry, index) => ({ ...entry, transaction: index }));
      return publishDatabase({ ...input, entries }, { directory: join(bench.root, label), objects: bench.objects });
    };
    const rows: readonly Row[] = [
      ['A', 'x', '1,0,1,4'],
      ['A', 'x', '1,5,1,9'],
    ];
    const ours = await publish('ours', rows, [1, 5]);
    const theirs = await publish('theirs', [['A', 'y', '1,0,1,9']], [3]);
    const request = { ours: ours.directory, theirs: theirs.directory, base: 'none', strategy: 'newest' as const, resolutions: [] };
    const { published } = await mergeDatabases(request, { ...EDIT, directory: join(bench.root, 'merged') });
    expect(view(published!.directory, ['x', 'y'])).toEqual(['A 1,0,1,4 y', 'A 1,5,1,9 x']);
  });

  it('keeps who made what, the parents, and the note', async () => {
    const { bench, request, directory } = await t37();
    await mergeDatabases({ ...request, strategy: 'theirs' }, { ...EDIT, directory });
    const log = logDatabase(directory);
    expect(log.parents.map(({ role, versionId }) => [role, versionId])).toEqual(
      ['ours', 'theirs', 'base'].map((label) => [label === 'base' ? 'base' : 'merge', describeDatabase(join(bench.root, label)).versionId]),
    );
    expect(new Set(log.transactions.map(({ at: when }) => when))).toEqual(
      new Set(['2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z']),
    );
    expect(log.transactions[0]).toMatchObject({
      calibration: 'pedestals',
      message: expect.stringContaining('because [caf db merge by physicist@login02'),
    });
  });

  it('takes a file of decisions, and refuses those that decide nothing or cannot be read', async () => {
    const { bench, request, directory } = await t37();
    const file = join(bench.root, 'merge.json');
    const { conflicts } = await mergeDatabases(request, { ...EDIT, directory, dryRun: true });
    const write = (list: unknown) => writeFileSync(file, JSON.stringify({ v: 1, conflicts: list }));
    write(conflicts.map((conflict) => ({ ...conflict, take: 'none' })));
    await mergeDatabases({ ...request, resolutions: readResolutions(file) }, { ...EDIT, directory });
    expect(view(directory, ['o', 'a', 'b'])).toEqual(['A 0,0,0,-1 o', 'A 1,0,1,4 a', 'A 1,10,1,19 b', 'A 1,20,-1,-1 o']);
    write([{ name: 'A', iov: [5, 0, 5, 1], take: 'ours' }]);
    await expect(mergeDatabases({ ...request, resolutions: readResolutions(file) }, { ...EDIT, directory, dryRun: true })).rejects.toThrow(
      /1 of 1 resolutions decide no conflict: A 5,0,5,1/,
    );
    write([
      { name: 'A', iov: [5, 0, 4, 1], take: 'ours' },
      { name: 'A', iov: [1, 0, 1, 1] },
    ]);
    expect(() => readResolutions(file)).toThrow(/2 of 2 decisions cannot be read/);
  });

  it('asks for the base of versions that have nothing in common', async () => {
    const { bench, request, directory } = await t37();
    const alone = await bench.publish('alone', [['A', 'c', '0,0,-1,-1']]);
    const strangers = { ...request, theirs: alone.directory };
    expect(await codeOf(() => mergeDatabases(strangers, { ...EDIT, directory }))).toBe('CAF_DB_NO_BASE');
    const { conflicts } = await mergeDatabases({ ...strangers, base: 'none' }, { ...EDIT, directory, dryRun: true });
    expect(conflicts).toHaveLength(3);
  });
});

// ---------------------------------------------------------------------------------------------------- running update

const RUNNING =
  'payload1 0,1,1,0 p1r1; payload1 1,1,-1,-1 p1r2; payload2 0,1,-1,-1 p2r1; payload3 0,1,1,0 p3r1; payload4 0,1,-1,-1 p4r1; payload5 0,1,-1,-1 p5r1';
const STAGING = 'payload1 0,0,1,8 p1r3; payload1 1,9,1,20 p1r4; payload2 1,5,1,20 p2r2; payload3 0,0,-1,-1 p3r2; payload4 0,0,1,20 p4r1';
const update = (run: Run, mode: UpdateMode, running = RUNNING, staging = STAGING) => {
  const { segments: after, problems } = planRunningUpdate(held(running), held(staging), run, mode);
  return problems.length > 0 ? problems.map(({ problem }) => problem) : told(after).split('; ');
};
const DOCUMENTED = [
  'payload1 0,1,1,0 p1r1',
  'payload1 1,1,1,1 p1r2',
  'payload1 1,2,1,8 p1r3',
  'payload1 1,9,1,20 p1r4',
  'payload2 0,1,1,4 p2r1',
  'payload2 1,5,1,20 p2r2',
  'payload3 0,1,1,0 p3r1',
  'payload3 1,2,-1,-1 p3r2',
  'payload4 0,1,1,20 p4r1',
  'payload5 0,1,-1,-1 p5r1',
];
const replaced = (changes: Readonly<Record<string, string>>): string[] => DOCUMENTED.map((line) => changes[line] ?? line);

describe('running update', () => {
  it("gives what Belle II's documentation says, in each mode (T38)", () => {
    expect(update([1, 2], 'allow-closed')).toEqual(DOCUMENTED);
    expect(update([1, 1], 'allow-closed')).toEqual(['begins at or after the first valid run']);
    expect(update([1, 6], 'allow-closed')).toEqual(['begins before the first valid run, but not at 0,0']);
    expect(update([1, 2], 'strict')).toEqual(Array(3).fill('is closed: it does not go on for ever'));
    expect(update([1, 2], 'fix-closed')).toEqual(
      replaced({
        'payload1 1,9,1,20 p1r4': 'payload1 1,9,-1,-1 p1r4',
        'payload2 1,5,1,20 p2r2': 'payload2 1,5,-1,-1 p2r2',
        'payload4 0,1,1,20 p4r1': 'payload4 0,1,-1,-1 p4r1',
      }),
    );
    expect(update([1, 2], 'full-replacement')).toEqual(replaced({ 'payload5 0,1,-1,-1 p5r1': 'payload5 0,1,1,1 p5r1' }));
    expect(update([1, 2], 'simple')).toHaveLength(5);
    expect(update([2, 0], 'simple', 'A 0,0,-1,-1 a', 'A 0,0,-1,-1 b; B 0,0,-1,-1 c')).toEqual([
      'A 0,0,1,-1 a',
      'A 2,0,-1,-1 b',
      'B 2,0,-1,-1 c',
    ]);
  });

  it('refuses overlaps and gaps in staging, and all that is wrong is told at once', () => {
    expect(update([2, 0], 'strict', '', 'A 0,0,2,5 a; A 2,5,2,10 b; A 2,11,-1,-1 c; B 2,8,2,10 d; B 2,12,-1,-1 e')).toEqual([
      'overlaps the one before',
      'leaves a gap before it: 2,11,2,11',
    ]);
    expect(update([2, 5], 'strict', 'A 0,0,1,-1 a; A 2,0,2,5 b; C 0,0,10,-1 c', 'A 0,0,-1,-1 x')).toEqual(
      Array(2).fill('ends at or after the first valid run'),
    );
  });

  it('goes on with a payload that did not change, and keeps what begins later as it is', () => {
    const running = 'A 0,0,0,-1 a1; A 1,0,1,10 a2; A 1,11,1,11 a3; A 1,12,-1,-1 a4; B 0,0,-1,-1 b1; C 0,0,0,-1 c1';
    const staging = 'A 0,0,2,5 a4; A 2,6,2,10 a11; A 2,11,-1,-1 a12; B 2,8,-1,-1 b1; C 2,0,-1,-1 c10';
    expect(update([2, 0], 'strict', running, staging).slice(3)).toEqual([
      'A 1,12,2,5 a4',
      'A 2,6,2,10 a11',
      'A 2,11,-1,-1 a12',
      'B 0,0,-1,-1 b1',
      'C 0,0,0,-1 c1',
      'C 2,0,-1,-1 c10',
    ]);
  });

  it('never changes an answer before the first valid run, and gives staging from there on where it has one', () => {
    // Running: everything ends before experiment 2 or is open. Staging: one open-ended sequence per name from 2,0 on.
    const old = views.map((all) =>
      all.filter(({ lo }) => lo < key(2, 0)).map((one) => (one.hi >= key(2, 0) ? { ...one, hi: FOREVER } : one)),
    );
    const isOrderly = (all: readonly Held[]) => all.every(({ name, hi }, at) => hi !== FOREVER || all[at + 1]?.name !== name);
    const fresh = fc.subarray(['A', 'B']).map((names) =>
      names.flatMap((name): Held[] => [
        { name, lo: 0, hi: key(3, 0) - 1, payload: { sha256: 'x' } },
        { name, lo: key(3, 0), hi: FOREVER, payload: { sha256: 'new' } },
      ]),
    );
    fc.assert(
      fc.property(
        old.filter(isOrderly),
        fresh,
        fc.constantFrom<UpdateMode>('strict', 'allow-closed', 'fix-closed'),
        (running, staging, mode) => {
          const { segments: after, problems } = planRunningUpdate(running, staging, [2, 0], mode);
          expect(problems).toEqual([]);
          for (const [name, moment] of PROBES) {
            const staged = at(staging, name, moment);
            const expected = moment < key(2, 0) || staged === null ? at(running, name, moment) : staged;
            expect(at(after, name, moment)).toBe(expected);
          }
        },
      ),
      { numRuns: 100 },
    );
    expect(UPDATE_MODES).toHaveLength(5);
  });

  it('makes a new database, takes only validated staging, and tells every problem with its interval', async () => {
    const bench = new Bench();
    const rows = (text: string): Row[] => held(text).map(({ name, lo, hi, payload }) => [name, payload.sha256, keysToIov(lo, hi)]);
    await bench.publish('running', rows(RUNNING));
    const { directory } = await bench.publish('staging', rows(STAGING));
    const members = ['running', 'staging'].map((label) => describeDatabase(join(bench.root, label))) as [never, never];
    const how = { firstRun: [1, 2] as const, mode: 'allow-closed' as const };
    const options = { ...EDIT, directory: join(bench.root, 'new') };
    const dry = await updateRunning(...members, how, { ...options, note: '', dryRun: true });
    expect([dry.warning, dry.published, dry.operations.length]).toEqual([expect.stringContaining('is committed'), null, 7]);
    expect(await codeOf(() => updateRunning(...members, how, options))).toBe('CAF_DB_STATE');
    changeState(directory, { state: 'validated', at: EDIT.at, actor: EDIT.actor, note: 'looked at' });
    await expect(updateRunning(...members, { ...how, mode: 'strict' }, options)).rejects.toMatchObject({
      code: 'CAF_DB_UPDATE',
      problems: [
        { path: expect.stringContaining('payload1 1,9,1,20') },
        { path: expect.stringContaining('payload2') },
        { path: expect.stringContaining('payload4') },
      ],
    });
    await updateRunning(...members, how, options);
    const contents = [...new Set(held(`${RUNNING}; ${STAGING}`).map(({ payload }) => payload.sha256))];
    expect(view(options.directory, contents)).toEqual(DOCUMENTED);
  });
});

describe('repairs by hand', () => {
  it('fill gaps up to the next interval, and open the last one when asked (C-03)', () => {
    const P = 'P 1,1,1,3 a; P 1,6,1,9 b; Q 1,2,2,-1 c; Q 4,0,4,5 d';
    expect(told(fillGaps(held(P), { openLast: false }))).toBe('P 1,1,1,5 a; P 1,6,1,9 b; Q 1,2,3,-1 c; Q 4,0,4,5 d');
    expect(told(fillGaps(held(P), { openLast: true, name: 'P' }))).toBe('P 1,1,1,5 a; P 1,6,-1,-1 b; Q 1,2,2,-1 c; Q 4,0,4,5 d');
    expect(told(fillGaps(held('P 1,1,1,3 a; P 1,6,1,9 a'), { openLast: false }))).toBe('P 1,1,1,9 a');
  });

  it('issue the last payload of a name again, over what holds there', () => {
    const P = 'N 0,0,-1,-1 n; P 1,1,1,3 a; P 1,6,1,9 b; Q 0,0,-1,-1 q';
    const extend = (iov: string) => told(extendLast(held(P), 'P', parseIov(iov)) ?? []);
    expect(extend('2,0,2,-1')).toBe('N 0,0,-1,-1 n; P 1,1,1,3 a; P 1,6,1,9 b; P 2,0,2,-1 b; Q 0,0,-1,-1 q');
    expect(extend('1,2,1,7')).toBe('N 0,0,-1,-1 n; P 1,1,1,1 a; P 1,2,1,9 b; Q 0,0,-1,-1 q');
    expect(extend('0,0,-1,-1')).toBe('N 0,0,-1,-1 n; P 0,0,-1,-1 b; Q 0,0,-1,-1 q');
    expect(extendLast(held(P), 'R', [0, 0, -1, -1])).toBeNull();
  });

  it('keep the parts of payloads that change within a run', async () => {
    const bench = new Bench();
    const parts = [0, 10].map((firstEvent) => ({ firstEvent, sha256: sha256(`part ${firstEvent}`) }));
    const payload = { ...bench.put('P', 'two parts'), parts };
    const { directory } = await publishDatabase(
      { entries: [{ payload, iov: [1, 1, 1, 3], transaction: 0 }], transactions: [transaction()], parents: [], chain: null },
      { directory: join(bench.root, 'db'), objects: bench.objects },
    );
    await extendPayload(describeDatabase(directory), 'P', [2, 0, 2, -1], { ...EDIT, directory: join(bench.root, 'extended') });
    const extended = openDatabase(join(bench.root, 'extended'));
    expect(extended.view('P')?.payloads.map((one) => one.parts)).toEqual([parts, parts]);
    extended.close();
  });

  it('make new databases with a note; the old ones stay as they are', async () => {
    const bench = new Bench();
    const { directory, viewId } = await bench.publish('db', [
      ['P', 'a', '1,1,1,3'],
      ['P', 'b', '1,6,1,9'],
    ]);
    const member = describeDatabase(directory);
    const filled = { ...EDIT, directory: join(bench.root, 'filled') };
    expect(await codeOf(() => fillGapsOf(member, { openLast: true }, { ...filled, note: ' ' }))).toBe('CAF_USAGE');
    expect(await codeOf(() => fillGapsOf(member, { openLast: true, name: 'p' }, filled))).toBe('CAF_DB_NOT_FOUND');
    const { changes } = await fillGapsOf(member, { openLast: true }, filled);
    expect(changes.map(({ iov }) => formatIov(iov))).toEqual(['1,4,1,5', '1,10,-1,-1']);
    expect(view(filled.directory, ['a', 'b'])).toEqual(['P 1,1,1,5 a', 'P 1,6,-1,-1 b']);
    expect(logDatabase(filled.directory).transactions[0]?.message).toMatch(/^because \[caf db fill-gaps by physicist@login02/);
    await extendPayload(member, 'P', [3, 0, 3, -1], { ...EDIT, directory: join(bench.root, 'extended') });
    expect(view(join(bench.root, 'extended'), ['a', 'b'])).toEqual(['P 1,1,1,3 a', 'P 1,6,1,9 b', 'P 3,0,3,-1 b']);
    expect(await codeOf(() => extendPayload(member, 'X', [3, 0, 3, -1], EDIT as never))).toBe('CAF_DB_NOT_FOUND');
    expect(describeDatabase(directory).viewId).toBe(viewId);
  });
});
