// The mass resolution: the width formula against the profile itself.
import { expect, test } from 'vitest';
import { resolutionOf, voigtFullWidth } from '../../calibrations/mass-resolution/fit.ts';
import { fitPeak, Z_MASS, Z_WIDTH } from '../../calibrations/mass-scale/peak.ts';
import { voigt } from '../../calibrations/mass-scale/voigt.ts';
import { random } from './support/random.ts';

test.each([0.2, 0.8, 1.2, 3])('for a resolution of %d GeV the full width is that of the profile', (sigma) => {
  const half = voigtFullWidth(sigma, Z_WIDTH) / 2;
  let [low, high] = [0, 50];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (voigt(middle, sigma, Z_WIDTH).value > voigt(0, sigma, Z_WIDTH).value / 2) low = middle;
    else high = middle;
  }
  expect(Math.abs(half / low - 1)).toBeLessThan(3e-4);
});

test('without resolution the full width is the natural width, and without natural width that of a Gaussian', () => {
  expect(voigtFullWidth(0, Z_WIDTH)).toBeCloseTo(Z_WIDTH, 3);
  expect(voigtFullWidth(1, 0)).toBeCloseTo(2.35482, 5);
});

test('the true resolution of a toy is found within its error', () => {
  const { gauss, lorentz } = random(77);
  const fit = fitPeak(Array.from({ length: 8000 }, () => Z_MASS + Z_WIDTH * lorentz() + 1.5 * gauss()));
  if (!fit.ok) throw new Error(fit.reason);
  const { resolution, error, relative, fullWidth, naturalWidth } = resolutionOf(fit.value, Z_WIDTH);
  expect(Math.abs(resolution - 1.5)).toBeLessThan(3 * error);
  expect(error).toBeLessThan(0.06);
  expect(relative).toBeCloseTo(resolution / fit.value.peak, 12);
  expect(fullWidth).toBeGreaterThan(2.35 * resolution);
  expect(naturalWidth).toBe(Z_WIDTH);
});
