// Moments against known answers, and the stability they are there for.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addEntry, deviation, type Moments, merge, mergeChannels, NO_ENTRIES, RunMoments } from '../../calibrations/moments.ts';

const of = (values: readonly number[]): Moments => values.reduce(addEntry, NO_ENTRIES);

test('mean and deviation of a known sample', () => {
  const moments = of([2, 4, 4, 4, 5, 5, 7, 9]);
  expect(moments).toEqual({ n: 8, mean: 5, m2: 32 });
  expect(deviation(moments)).toBeCloseTo(Math.sqrt(32 / 7), 14);
});

test('a large common offset loses no digits of the spread', () => {
  expect(deviation(of([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]))).toBeCloseTo(Math.sqrt(30), 12);
});

test('constant data have no spread, and one entry has no deviation', () => {
  expect(deviation(of([0.1, 0.1, 0.1]))).toBe(0);
  expect(deviation(of([3]))).toBeNaN();
  expect(deviation(NO_ENTRIES)).toBeNaN();
});

test('merged parts equal the whole, however it is cut', () => {
  const sample = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 30 });
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      const merged = merge(of(a), of(b));
      const whole = of([...a, ...b]);
      expect(merged.n).toBe(whole.n);
      expect(Math.abs(merged.mean - whole.mean)).toBeLessThan(1e-8);
      expect(Math.abs(merged.m2 - whole.m2)).toBeLessThan(1e-9 * Math.max(1, whole.m2));
    }),
  );
});

test('records with different numbers of channels are not merged', () => {
  expect(() => mergeChannels([[NO_ENTRIES], [NO_ENTRIES, NO_ENTRIES]], 2)).toThrow('A record has 1 channels; expected 2');
});

test('runs keep the order in which they were seen, also without entries', () => {
  const moments = new RunMoments(1);
  moments.add(1, 7, 0, 5);
  moments.see(1, 3);
  moments.add(1, 7, 0, 7);
  expect(moments.entries()).toEqual([
    { run: [1, 7], moments: [{ n: 2, mean: 6, m2: 2 }] },
    { run: [1, 3], moments: [NO_ENTRIES] },
  ]);
});
