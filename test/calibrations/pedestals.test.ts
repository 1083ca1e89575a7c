// Pedestals: known answers, toys, and samples that allow no answer.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addEntry, type Moments, NO_ENTRIES } from '../../calibrations/moments.ts';
import { collectSamples } from '../../calibrations/pedestals/collect.ts';
import { fitPedestals } from '../../calibrations/pedestals/fit.ts';
import { mean, random, standardDeviation } from './support/random.ts';

const of = (values: readonly number[]): Moments => values.reduce(addEntry, NO_ENTRIES);

test('two runs are merged into one mean and one noise', () => {
  expect(fitPedestals([[of([2, 4, 4, 4])], [of([5, 5, 7, 9])]], 1, 8)).toEqual({
    result: 'ok',
    values: { mean: [5], noise: [Math.sqrt(32 / 7)], entries: [8] },
  });
});

test('a channel with too few samples asks for more data', () => {
  const result = fitPedestals([[of([1, 2, 3]), of([1, 2])]], 2, 3);
  expect(result).toEqual({ result: 'not-enough-data', reason: 'channel 1 has 2 samples; at least 3 are needed' });
});

test('one sample is never enough, even if the user asks for one only', () => {
  expect(fitPedestals([[of([1])]], 1, 1).result).toBe('not-enough-data');
  expect(fitPedestals([], 1, 0).result).toBe('not-enough-data');
});

test('samples that are not numbers fail, and constant samples have noise 0', () => {
  expect(fitPedestals([[of([1, Number.NaN, 2])]], 1, 2).result).toBe('failure');
  expect(fitPedestals([[of([7, 7, 7])]], 1, 2)).toMatchObject({ values: { mean: [7], noise: [0] } });
});

test('the mean of toys scatters as noise / sqrt(entries) says', () => {
  const { gauss } = random(1);
  const pulls = Array.from({ length: 400 }, () => {
    const result = fitPedestals([[of(Array.from({ length: 100 }, () => 512 + 3 * gauss()))]], 1, 100);
    if (result.result !== 'ok') throw new Error(result.reason);
    return (result.values.mean[0]! - 512) / (result.values.noise[0]! / 10);
  });
  expect(Math.abs(mean(pulls))).toBeLessThan(0.15);
  expect(Math.abs(standardDeviation(pulls) - 1)).toBeLessThan(0.11);
});

test('the collector sums up by run and channel, and names a wrong channel', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  try {
    const good = join(directory, 'good.csv');
    writeFileSync(good, 'experiment,run,event,channel,adc\n1,1,0,0,10\n1,2,0,1,20\n1,1,1,0,12\n');
    expect((await collectSamples([good], 2)).entries()).toEqual([
      { run: [1, 1], moments: [{ n: 2, mean: 11, m2: 2 }, NO_ENTRIES] },
      { run: [1, 2], moments: [NO_ENTRIES, { n: 1, mean: 20, m2: 0 }] },
    ]);
    await expect(collectSamples([good], 1)).rejects.toThrow(`${good}:3: channel is 1; expected a whole number from 0 to 0`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
