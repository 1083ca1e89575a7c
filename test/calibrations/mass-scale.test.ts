// The dimuon peak: special functions against tables, fits against seeded toys, and samples without a peak.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collectDimuons, dimuonMass, SELECTION } from '../../calibrations/mass-scale/collect.ts';
import { mergeDimuons, momentumScale, scaleConverged } from '../../calibrations/mass-scale/fit.ts';
import { fitPeak, PEAK_DEFAULTS, type Peak, Z_MASS, Z_WIDTH } from '../../calibrations/mass-scale/peak.ts';
import { faddeeva, voigt } from '../../calibrations/mass-scale/voigt.ts';
import { mean, type Random, random, standardDeviation } from './support/random.ts';

const RESOLUTION = 1.2;

/** `entries` of a Z line at `peak`, and a tenth as many spread evenly from 60 to 120 GeV. */
function sample({ uniform, gauss, lorentz }: Random, entries: number, peak = Z_MASS): number[] {
  const signal = Array.from({ length: entries }, () => peak + Z_WIDTH * lorentz() + RESOLUTION * gauss());
  return [...signal, ...Array.from({ length: entries / 10 }, () => 60 + 60 * uniform())];
}

function peakOf(masses: readonly number[]): Peak {
  const result = fitPeak(masses);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

test('the Faddeeva function has its tabulated values', () => {
  // Abramowitz and Stegun, table 7.9, and erfc(1) e.
  expect(faddeeva(0, 0)[0]).toBeCloseTo(1, 12);
  expect(faddeeva(1, 1)[0]).toBeCloseTo(0.3047442052569126, 12);
  expect(faddeeva(1, 1)[1]).toBeCloseTo(0.2082189382028316, 12);
  expect(faddeeva(0, 1)[0]).toBeCloseTo(0.427583576155807, 12);
});

test('the Voigt profile has unit area, and Gauss and Lorentz as its limits', () => {
  let area = 0;
  for (let x = -2000; x < 2000; x += 0.1) area += 0.1 * voigt(x + 0.05, 1, 2.5).value;
  expect(area).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(1.25 / 2000), 5);
  expect(voigt(0.7, 1.3, 0).value).toBeCloseTo(Math.exp(-0.5 * (0.7 / 1.3) ** 2) / (1.3 * Math.sqrt(2 * Math.PI)), 11);
  expect(voigt(0.7, 1e-4, 2.5).value).toBeCloseTo(1.25 / Math.PI / (0.7 ** 2 + 1.25 ** 2), 6);
});

test('the derivatives of the Voigt profile are those of its values', () => {
  const step = 1e-5;
  fc.assert(
    fc.property(fc.double({ min: -8, max: 8, noNaN: true }), fc.double({ min: 0.3, max: 4, noNaN: true }), (x, sigma) => {
      const { byX, bySigma } = voigt(x, sigma, Z_WIDTH);
      expect(byX).toBeCloseTo((voigt(x + step, sigma, Z_WIDTH).value - voigt(x - step, sigma, Z_WIDTH).value) / (2 * step), 7);
      expect(bySigma).toBeCloseTo((voigt(x, sigma + step, Z_WIDTH).value - voigt(x, sigma - step, Z_WIDTH).value) / (2 * step), 7);
    }),
  );
});

test('peaks of toys scatter around the truth as their errors say', () => {
  const toys = Array.from({ length: 150 }, (_, toy) => peakOf(sample(random(1000 + toy), 500)));
  const pulls = toys.map(({ peak, peakError }) => (peak - Z_MASS) / peakError);
  expect(Math.abs(mean(pulls))).toBeLessThan(0.25);
  expect(standardDeviation(pulls)).toBeGreaterThan(0.83);
  expect(standardDeviation(pulls)).toBeLessThan(1.17);
  // The average quality of good fits is that of chi-square: chi2 / ndf near 1.
  expect(mean(toys.map(({ chi2, ndf }) => chi2 / ndf))).toBeCloseTo(1, 0);
});

test('with many candidates the resolution comes out with the natural width unfolded, and the background at its level', () => {
  const fit = peakOf(sample(random(5), 20000));
  expect(Math.abs(fit.peak - Z_MASS)).toBeLessThan(3 * fit.peakError);
  expect(Math.abs(fit.resolution - RESOLUTION)).toBeLessThan(3 * fit.resolutionError);
  expect(fit.resolutionError).toBeLessThan(0.05);
  expect(fit.signal + 20 * fit.background).toBeGreaterThan(fit.candidates * 0.95);
});

test.each([78, 88, 94.3, 104])('the window follows a peak at %d GeV', (truth) => {
  const { peak, peakError, window } = peakOf(sample(random(3), 2000, truth));
  expect(Math.abs(peak - truth)).toBeLessThan(3.5 * peakError);
  expect(Math.abs((window[0] + window[1]) / 2 - peak)).toBeLessThan(1);
});

test('a fit does not depend on the order of the candidates', () => {
  const masses = sample(random(11), 600);
  expect(fitPeak(masses.toReversed())).toEqual(fitPeak(masses));
});

test.each([
  ['no candidates', [], '0 candidates between 81.19 and 101.19 GeV; a fit needs at least 20'],
  ['one candidate', [91], '1 candidates between 81.19 and 101.19 GeV; a fit needs at least 20'],
  ['constant masses', new Array<number>(500).fill(91.05), '500 of 500 candidates between 81.19 and 101.19 GeV lie in one bin of 0.1 GeV'],
  ['a mass that is not a number', [91, Number.NaN], 'mass 2 of 2 is NaN, not a finite number'],
  ['an infinite mass', [Number.POSITIVE_INFINITY], 'mass 1 of 1 is Infinity, not a finite number'],
])('%s give a reason instead of a peak', (_, masses, reason) => {
  expect(fitPeak(masses)).toEqual({ ok: false, reason });
});

test('an even spectrum gives no confident peak', () => {
  const { uniform } = random(17);
  const result = fitPeak(Array.from({ length: 3000 }, () => 60 + 60 * uniform()));
  if (result.ok) expect(result.value.peakError).toBeGreaterThan(0.3);
  else expect(result.reason).not.toBe('');
});

test('after the scale is applied the peak is at the reference mass, and a second iteration changes nothing that matters', () => {
  const masses = sample(random(23), 1000, 90.6);
  const first = momentumScale(1, peakOf(masses));
  const second = momentumScale(first.scale, peakOf(masses.map((mass) => mass * first.scale)));
  expect(first.scale).toBeCloseTo(Z_MASS / 90.6, 2);
  expect(scaleConverged(1, first)).toBe(false);
  expect(scaleConverged(first.scale, second)).toBe(true);
  const corrected = peakOf(masses.map((mass) => mass * second.scale));
  expect(Math.abs(corrected.peak - Z_MASS)).toBeLessThan(0.1 * corrected.peakError);
});

test('runs that were collected with different scales are brought to a common one', () => {
  const merged = mergeDimuons([
    {
      scale: 1,
      mass: [90, 91, 92],
      pt: [
        [45, 45],
        [45, 46],
        [46, 46],
      ],
    },
    { scale: 1.02, mass: [91.8], pt: [[46, 46]] },
  ]);
  expect(merged.scale).toBeCloseTo(1.005, 12);
  expect(merged.mass.map((mass) => mass / merged.scale)).toEqual([90, 91, 92, 90].map((mass) => expect.closeTo(mass, 10)));
  expect(mergeDimuons([])).toEqual({ scale: 1, mass: [], pt: [] });
});

test('the mass formula is that of massless particles', () => {
  const [pt1, eta1, phi1, pt2, eta2, phi2] = [54.7055, -0.432396, 2.57421, 34.2464, -0.98848, -0.498704] as const;
  expect(dimuonMass(pt1, eta1, phi1, pt2, eta2, phi2)).toBeCloseTo(
    Math.sqrt(2 * pt1 * pt2 * (Math.cosh(eta1 - eta2) - Math.cos(phi1 - phi2))),
    10,
  );
  expect(dimuonMass(45, 0, 0, 45, 0, Math.PI)).toBeCloseTo(90, 12);
  expect(dimuonMass(45, 1, 2, 45, 1, 2)).toBe(0);
  expect(dimuonMass(30, 0.5, 3.1, 30, 0.5, 3.1 - 2 * Math.PI)).toBeCloseTo(0, 12);
});

test('the collector selects opposite charges, momenta and masses after scaling, by run', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  try {
    const file = join(directory, 'events.csv');
    const header = 'Run,Event,pt1,eta1,phi1,Q1,pt2,eta2,phi2,Q2';
    const pi = Math.PI;
    writeFileSync(
      file,
      [
        header,
        `5,1,45,0,0,1,45,0,${pi},-1`,
        `5,2,45,0,0,1,45,0,${pi},1`,
        `6,3,19.9,0,0,1,60,0,${pi},-1`,
        `7,4,29,0,0,-1,29,0,${pi},1`,
        '',
      ].join('\n'),
    );
    const nominal = await collectDimuons([file], SELECTION, async () => 1);
    expect([...nominal.keys()]).toEqual([5, 6, 7]);
    expect(nominal.get(5)).toEqual({ scale: 1, mass: [expect.closeTo(90, 10)], pt: [[45, 45]] });
    expect(nominal.get(6)?.mass).toEqual([]);
    expect(nominal.get(7)?.mass).toEqual([]);
    const scaled = await collectDimuons([file], SELECTION, async (run) => (run === 6 ? 1.01 : 1.1));
    expect(scaled.get(6)?.mass).toHaveLength(1);
    expect(scaled.get(7)?.mass).toEqual([expect.closeTo(63.8, 10)]);
    writeFileSync(file, `${header}\n5,1,-45,0,0,1,45,0,0,-1\n`);
    await expect(collectDimuons([file], SELECTION, async () => 1)).rejects.toThrow(`${file}:2: transverse momenta are -45 and 45 GeV`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the defaults are the documented ones', () => {
  expect(PEAK_DEFAULTS).toEqual({ reference: 91.1876, halfWidth: 10, naturalWidth: 2.4952 });
});
