// Gains: convergence from afar, honest errors, and spectra without a line.
import { expect, test } from 'vitest';
import { erf, fitGains, type GainOptions, gainOfEntry, keptInformation } from '../../calibrations/gains/fit.ts';
import { addEntry, type Moments, NO_ENTRIES } from '../../calibrations/moments.ts';
import { mean, random, standardDeviation } from './support/random.ts';

const ENERGY = 661.657;
const options: GainOptions = { channels: 1, window: 0.08, minEntries: 100, tolerance: 1e-3 };

function window(adc: readonly number[], previous: number, pedestal = 500, width = options.window): Moments {
  return adc.reduce((moments, value) => {
    const gain = gainOfEntry(value, pedestal, ENERGY, previous, width);
    return gain === null ? moments : addEntry(moments, gain);
  }, NO_ENTRIES);
}

/** Entries of a line of `resolution` (fraction of its energy) seen with `gain`. */
function line(seed: number, entries: number, gain: number, resolution = 0.04): readonly number[] {
  const { gauss } = random(seed);
  return Array.from({ length: entries }, () => 500 + gain * ENERGY * (1 + resolution * gauss()));
}

function iterate(adc: readonly number[], start: number): { readonly gain: number; readonly error: number; readonly iterations: number } {
  let gain = start;
  for (let iterations = 1; iterations <= 20; iterations += 1) {
    const result = fitGains([[window(adc, gain)]], [gain], options);
    if (result.result === 'not-enough-data' || result.result === 'failure') throw new Error(result.reason);
    gain = result.values.gain[0]!;
    if (result.result === 'ok') return { gain, error: result.values.error[0]!, iterations };
  }
  throw new Error('no convergence');
}

test.each([1.88, 1.95, 2, 2.05, 2.12])('from a gain of %d the iterations end at the true gain of 2, within the error', (start) => {
  const { gain, error, iterations } = iterate(line(7, 4000, 2), start);
  expect(Math.abs(gain - 2)).toBeLessThan(3 * error + 2 * 1e-3);
  expect(error).toBeGreaterThan((2 * 0.04) / Math.sqrt(4000));
  expect(iterations).toBeGreaterThan(1);
  expect(iterations).toBeLessThanOrEqual(5);
});

test('errors of toys are as large as their scatter', () => {
  const pulls = Array.from({ length: 300 }, (_, toy) => {
    const adc = line(100 + toy, 500, 2);
    let gain = 2;
    for (let n = 0; n < 12; n += 1) gain = window(adc, gain).mean;
    const result = fitGains([[window(adc, gain)]], [gain], options);
    if (result.result !== 'ok') throw new Error(result.result);
    return (result.values.gain[0]! - 2) / result.values.error[0]!;
  });
  expect(Math.abs(mean(pulls))).toBeLessThan(0.2);
  expect(standardDeviation(pulls)).toBeGreaterThan(0.85);
  expect(standardDeviation(pulls)).toBeLessThan(1.15);
});

test('the window is open at its borders, and measured from the previous gain', () => {
  expect(gainOfEntry(500 + 2 * ENERGY, 500, ENERGY, 2, 0.08)).toBe(2);
  expect(gainOfEntry(500 + 2.2 * ENERGY, 500, ENERGY, 2, 0.08)).toBeNull();
  expect(gainOfEntry(500 + 1.8 * ENERGY, 500, ENERGY, 2, 0.08)).toBeNull();
  expect(gainOfEntry(Number.NaN, 500, ENERGY, 2, 0.08)).toBeNull();
});

test('too few entries ask for more data', () => {
  expect(fitGains([[window(line(1, 50, 2), 2)]], [2], options)).toMatchObject({
    result: 'not-enough-data',
    reason: expect.stringMatching(/^channel 0 has \d+ entries in its window; at least 100 are needed$/),
  });
});

test('an even spectrum shows no line', () => {
  const adc = Array.from({ length: 4000 }, (_, n) => 500 + n);
  expect(fitGains([[window(adc, 2)]], [2], options)).toMatchObject({
    result: 'failure',
    reason: expect.stringContaining('channel 0 shows no line'),
  });
});

test('constant entries give their value with error 0', () => {
  const result = fitGains([[window(new Array<number>(200).fill(500 + 2 * ENERGY), 2)]], [2], options);
  expect(result).toMatchObject({ result: 'ok', values: { gain: [2], error: [0] }, change: 0 });
});

test('previous gains that are not positive, or of another detector, are refused', () => {
  expect(fitGains([[NO_ENTRIES]], [0], options)).toMatchObject({ result: 'failure', reason: 'the previous gain of channel 0 is 0' });
  expect(fitGains([[NO_ENTRIES]], [1, 2], options)).toMatchObject({
    result: 'failure',
    reason: 'the previous gains have 2 channels; expected 1',
  });
});

test('the error function has its tabulated values', () => {
  // Abramowitz and Stegun, table 7.1.
  expect(erf(0)).toBe(0);
  expect(erf(0.5)).toBeCloseTo(0.5204998778, 10);
  expect(erf(1)).toBeCloseTo(0.8427007929, 10);
  expect(erf(-2)).toBeCloseTo(-0.995322265, 9);
  expect(erf(5)).toBeCloseTo(1, 11);
});

test('a window of two standard deviations keeps 77 % of the information; an even spread keeps none', () => {
  // k = 2: lambda = 4 phi(2) / erf(sqrt 2) = 0.22626; ratio = 2 / sqrt(1 - lambda).
  expect(keptInformation(2 / Math.sqrt(1 - 0.2262611))).toBeCloseTo(1 - 0.2262611, 5);
  expect(keptInformation(Math.sqrt(3))).toBeNull();
  expect(keptInformation(Number.NaN)).toBeNull();
  expect(keptInformation(Infinity)).toBe(1);
});
