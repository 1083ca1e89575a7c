// The interval algebra, case by case (conditions T01 to T17) and as properties against a brute-force set of runs.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import * as I from '../../src/domain/iov.ts';

const parse = I.parseIov;
const text = (iovs: readonly I.Iov[]) => iovs.map(I.formatIov);
const set = (...texts: string[]) => texts.map(parse);
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return error instanceof CafError ? error.code : String(error);
  }
  return 'accepted';
};

describe('parsing', () => {
  it.each([
    ['0,0,-1,-1', 0, 9007199254740991],
    ['1,5,1,-1', 4294967301, 8589934591],
  ])('%s has its keys and prints back (T01, T02)', (source, lo, hi) => {
    expect(I.iovToKeys(parse(source))).toEqual([lo, hi]);
    expect(I.formatIov(I.keysToIov(lo, hi))).toBe(source);
  });

  it.each([
    ['5,-1,5,-1', 'CAF_IOV_NEGATIVE'],
    ['-1,-1,15,8', 'CAF_IOV_NEGATIVE'],
    ['0,0,-2,-1', 'CAF_IOV_NEGATIVE'],
    ['-1,-1,-1,-1', 'CAF_IOV_EMPTY'],
    ['3,10,2,5', 'CAF_IOV_ORDER'],
    ['2,10,2,9', 'CAF_IOV_ORDER'],
    ['2,10,2,10', 'accepted'],
    ['2,10,2,-1', 'accepted'],
    ['0,0,-1,5', 'CAF_IOV_OPEN'],
    ['0,0,0', 'CAF_IOV_FORMAT'],
    ['0,0,0,0,0', 'CAF_IOV_FORMAT'],
    ['0, 0,1,2', 'CAF_IOV_FORMAT'],
    ['0,0,exp2,0', 'CAF_IOV_FORMAT'],
    ['', 'CAF_IOV_FORMAT'],
    ['1.5,0,2,0', 'CAF_IOV_FORMAT'],
    ['0x1,0,2,0', 'CAF_IOV_FORMAT'],
    ['0,0,1,2\n', 'CAF_IOV_FORMAT'],
    ['0,4294967295,1,0', 'CAF_IOV_RANGE'],
    ['1048576,0,-1,-1', 'CAF_IOV_RANGE'],
    ['0,0,99999999999999999999,0', 'CAF_IOV_RANGE'],
    ['1048575,4294967294,1048575,-1', 'accepted'],
  ])("strictly, '%s' is %s (T03 to T08)", (source, expected) => {
    expect(codeOf(() => parse(source))).toBe(expected);
  });

  it.each([
    ['5,-1,5,-1', '5,0,5,-1', 1],
    ['-1,-1,15,8', '0,0,15,8', 1],
    ['0,0,-1,5', '0,0,-1,-1', 1],
    ['-1,-1,-1,5', '0,0,-1,-1', 2],
    ['1,2,3,4', '1,2,3,4', 0],
  ])('leniently, %s is read as %s with %i warnings (T03, T07)', (source, expected, warnings) => {
    const read = I.parseIovLenient(source);
    expect(read.iov && I.formatIov(read.iov)).toBe(expected);
    expect(read.warnings).toHaveLength(warnings);
  });

  it('leniently, the empty interval is to be skipped (T04), and everything else stays an error (T05, T08)', () => {
    expect(I.parseIovLenient('-1,-1,-1,-1')).toMatchObject({ iov: null, warnings: [expect.stringContaining('empty')] });
    expect(codeOf(() => I.parseIovLenient('3,10,2,5'))).toBe('CAF_IOV_ORDER');
    expect(codeOf(() => I.parseIovLenient('1,2'))).toBe('CAF_IOV_FORMAT');
    expect(codeOf(() => I.parseIovLenient('0,-2,1,0'))).toBe('CAF_IOV_NEGATIVE');
  });

  it.each([
    [[1, 2, 3], 'CAF_IOV_FORMAT'],
    ['1,2,3,4', 'CAF_IOV_FORMAT'],
    [[1, 2, 3, '4'], 'CAF_IOV_FORMAT'],
    [[1, 2, 3, Number.NaN], 'CAF_IOV_FORMAT'],
    [[1, 0.5, 3, 4], 'CAF_IOV_FORMAT'],
    [[-1, -1, -1, -1], 'CAF_IOV_EMPTY'],
    [[2, 0, 1, 0], 'CAF_IOV_ORDER'],
    [[1, 2, 1, 2], 'accepted'],
    [null, 'CAF_IOV_FORMAT'],
  ])('an array %j is %s', (value, expected) => {
    expect(codeOf(() => I.checkIov(value))).toBe(expected);
  });

  it('makes 0 of -0, so that equal intervals are equal', () => {
    expect(Object.is(I.checkIov([-0, 0, 1, 1])[0], 0)).toBe(true);
    expect(Object.is(I.checkRun([-0, 0])[0], 0)).toBe(true);
  });

  it('checks runs', () => {
    expect(I.checkRun([7, 12])).toEqual([7, 12]);
    expect(codeOf(() => I.checkRun([7]))).toBe('CAF_IOV_FORMAT');
    expect(codeOf(() => I.checkRun([7, -1]))).toBe('CAF_IOV_NEGATIVE');
    expect(codeOf(() => I.checkRun([7, 4294967295]))).toBe('CAF_IOV_RANGE');
  });
});

describe('algebra', () => {
  it.each([
    ['15,8,15,-1', [15, 8], true],
    ['15,8,15,-1', [15, 7], false],
    ['15,8,15,-1', [16, 0], false],
    ['15,8,-1,-1', [16, 0], true],
    ['15,8,15,8', [15, 8], true],
  ] as const)('%s contains %j: %s (T09)', (iov, run, expected) => {
    expect(I.contains(parse(iov), run)).toBe(expected);
  });

  it.each([
    ['1,0,2,5', '2,0,2,-1', '2,0,2,5'],
    ['2,0,2,-1', '2,10,5,-1', '2,10,2,-1'],
    ['2,10,5,-1', '1,0,2,5', null],
  ])('%s and %s share %s (T10)', (a, b, expected) => {
    const shared = I.intersect(parse(a), parse(b));
    expect(shared && I.formatIov(shared)).toBe(expected);
  });

  it.each([
    ['0,0,10,-1', '5,0,5,-1', ['0,0,4,-1', '6,0,10,-1']],
    ['1,0,1,20', '1,5,1,9', ['1,0,1,4', '1,10,1,20']],
    ['0,0,-1,-1', '3,7,-1,-1', ['0,0,3,6']],
    ['0,0,-1,-1', '3,0,-1,-1', ['0,0,2,-1']],
    ['2,0,3,-1', '0,0,-1,-1', []],
    ['2,0,3,-1', '4,0,-1,-1', ['2,0,3,-1']],
    ['0,0,-1,-1', '1,0,1,4294967294', ['0,0,0,-1', '2,0,-1,-1']],
    ['0,0,-1,-1', '3,0,1048575,-1', ['0,0,2,-1']],
    ['0,0,-1,-1', '3,0,1048575,4294967294', ['0,0,2,-1']],
    ['0,0,-1,-1', '3,0,1048575,4294967293', ['0,0,2,-1', '1048575,4294967294,-1,-1']],
  ])('%s without %s is %j (T11 to T13)', (a, b, expected) => {
    expect(text(I.subtract(parse(a), parse(b)))).toEqual(expected);
  });

  it('joins intervals that touch (T14, T15)', () => {
    expect(text(I.normalise(set('0,0,0,-1', '1,0,1,-1')))).toEqual(['0,0,1,-1']);
    expect(text(I.normalise(set('0,0,0,-1', '1,1,1,-1')))).toEqual(['0,0,0,-1', '1,1,1,-1']);
    expect(text(I.normalise(set('0,0,0,-1', '1,1,1,-1'), { startOne: true }))).toEqual(['0,0,1,-1']);
    expect(text(I.normalise(set('0,0,0,3', '0,5,0,9'), { startOne: true }))).toEqual(['0,0,0,3', '0,5,0,9']);
    expect(text(I.normalise(set('0,8,0,9', '0,3,0,5', '0,0,0,2')))).toEqual(['0,0,0,5', '0,8,0,9']);
    expect(text(I.normalise(set('3,0,-1,-1', '4,0,4,3')))).toEqual(['3,0,-1,-1']);
  });

  it('subtracts one set from another (T16)', () => {
    expect(text(I.subtractAll(set('0,0,10,-1'), set('1,0,1,-1', '5,0,8,5')))).toEqual(['0,0,0,-1', '2,0,4,-1', '8,6,10,-1']);
  });

  it('tells what a set covers and overlaps (T17)', () => {
    const a = set('0,0,2,-1', '5,0,5,-1');
    expect(['0,1,1,23', '0,0,3,2', '3,0,4,-1'].map((iov) => I.covers(a, parse(iov)))).toEqual([true, false, false]);
    expect(['0,0,3,2', '3,0,4,-1'].map((iov) => I.overlaps(a, parse(iov)))).toEqual([true, false]);
  });

  it('finds gaps within experiments and never between them', () => {
    expect(text(I.gaps(set('1,1,1,3', '1,5,1,6', '2,1,2,2')))).toEqual(['1,4,1,4']);
    expect(I.gaps(set('1,1,1,-1', '2,0,2,5'))).toEqual([]);
    expect(I.gaps(set('1,3,1,3', '2,9,2,9'))).toEqual([]);
    expect(text(I.gaps(set('1,2,1,2', '1,5,1,5')))).toEqual(['1,3,1,4']);
    expect(I.gaps(set('1,0,1,9', '1,2,1,3', '1,10,1,12'))).toEqual([]);
  });

  it('lists the runs outside a set', () => {
    expect(
      I.runsOutside(set('1,5,1,9', '1,0,1,2'), [
        [1, 3],
        [1, 2],
        [1, 3],
        [1, 9],
        [2, 0],
      ]),
    ).toEqual([
      [1, 3],
      [2, 0],
    ]);
  });

  it('knows neighbours of a run within its experiment', () => {
    expect(I.previousRun([3, 7])).toEqual([3, 6]);
    expect(I.previousRun([3, 0])).toBeNull();
    expect(I.nextRun([3, 7])).toEqual([3, 8]);
    expect(I.nextRun([3, I.MAX_RUN])).toBeNull();
  });
});

describe('properties', () => {
  const iov = fc
    .record({ e: fc.nat(3), r: fc.nat(5), f: fc.nat(3), s: fc.nat(5), end: fc.constantFrom('run', 'experiment', 'forever') })
    .map(({ e, r, f, s, end }): I.Iov => {
      if (end === 'forever') return [e, r, -1, -1];
      const high = Math.max(e, f);
      if (end === 'experiment') return [e, r, high, -1];
      return high === e ? [e, Math.min(r, s), high, Math.max(r, s)] : [e, r, high, s];
    });
  const runs: I.Run[] = [];
  for (let e = 0; e < 5; e++) for (let r = 0; r < 7; r++) runs.push([e, r]);
  const held = (iovs: readonly I.Iov[]) => runs.filter((run) => iovs.some((one) => I.contains(one, run)));

  it('every interval survives text, checks and keys', () => {
    fc.assert(
      fc.property(iov, (one) => {
        expect(I.parseIov(I.formatIov(one))).toEqual(one);
        expect(I.checkIov(one)).toEqual(one);
        expect(I.keysToIov(...I.iovToKeys(one))).toEqual(one);
      }),
    );
  });

  it('set operations hold exactly the runs they should', () => {
    fc.assert(
      fc.property(fc.array(iov, { maxLength: 5 }), fc.array(iov, { maxLength: 4 }), iov, (a, b, one) => {
        expect(held(I.normalise(a))).toEqual(held(a));
        const inB = new Set(held(b).map(String));
        expect(held(I.subtractAll(a, b))).toEqual(held(a).filter((run) => !inB.has(String(run))));
        expect(I.overlaps(a, one)).toBe(a.some((other) => I.intersect(other, one) !== null));
        expect(I.covers(a, one)).toBe(I.subtractAll([one], a).length === 0);
        const merged = I.normalise(a).map(I.iovToKeys);
        merged.forEach(([lo], index) => {
          if (index > 0) expect(lo).toBeGreaterThan(merged[index - 1]![1] + 1);
        });
        expect(I.runsOutside(a, runs)).toEqual(runs.filter((run) => !held(a).some((other) => I.compareRuns(run, other) === 0)));
      }),
    );
  });
});
